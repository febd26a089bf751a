import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { ProjectEntity } from './project.entity.js';

/** SQL of the settings of projects. Nothing is kept in memory: a rule that was tightened holds for the next request of every replica. */
@Injectable()
export class ProjectStore {
  constructor(private readonly dataSource: DataSource) {}

  /** @param slug of a project that a token opens, and that is therefore there */
  async get(slug: string): Promise<ProjectEntity> {
    const rows = await this.dataSource.query<ProjectEntity[]>(
      'SELECT slug, id, four_eyes FROM project WHERE slug = $1',
      [slug],
    );
    return rows[0]!;
  }

  async setFourEyes(slug: string, four_eyes: boolean): Promise<void> {
    await this.dataSource.query('UPDATE project SET four_eyes = $2 WHERE slug = $1', [slug, four_eyes]);
  }
}
