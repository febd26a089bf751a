import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import type { Role } from '../auth/roles.js';
import type { TokenEntity } from './token.entity.js';

/** A token to be; `project` is opened when it is new. */
export interface NewTokenRow {
  id: string;
  project: string;
  name: string;
  role: Role;
  secretHash: string;
  expiresAt: string | null;
  timezone: string;
}

/** A token with its project's UUID. */
export type SignedInToken = TokenEntity & { project_uuid: string };

/** SQL of projects and tokens. A `project` of null stands for every one. */
@Injectable()
export class TokenStore {
  constructor(private readonly dataSource: DataSource) {}

  async findBySecret(secretHash: string): Promise<SignedInToken | undefined> {
    const rows = await this.dataSource.query<SignedInToken[]>(
      `SELECT t.*, p.id AS project_uuid FROM token t JOIN project p ON p.slug = t.project
       WHERE t.secret_hash = $1 AND t.revoked_at IS NULL`,
      [secretHash],
    );
    return rows[0];
  }

  async find(id: string, project: string | null): Promise<TokenEntity | undefined> {
    const rows = await this.dataSource.query<TokenEntity[]>(
      'SELECT * FROM token WHERE id = $1 AND ($2::text IS NULL OR project = $2)',
      [id, project],
    );
    return rows[0];
  }

  /** In the order of their making. */
  async list(project: string | null, after: string | undefined, limit: number): Promise<TokenEntity[]> {
    return this.dataSource.query<TokenEntity[]>(
      `SELECT * FROM token
        WHERE ($1::text IS NULL OR project = $1) AND ($2::uuid IS NULL OR id > $2)
        ORDER BY id LIMIT $3`,
      [project, after ?? null, limit],
    );
  }

  /** Makes the token unless one with its id exists, and answers the one that does then. */
  async insert(token: NewTokenRow): Promise<TokenEntity> {
    return this.dataSource.transaction(async (manager) => {
      await openProject(manager, token.project);
      await manager.query(
        `INSERT INTO token (id, project, name, role, secret_hash, actor_id, expires_at, timezone)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING`,
        [token.id, token.project, token.name, token.role, token.secretHash, uuidv7(), token.expiresAt, token.timezone],
      );
      const rows = await manager.query<TokenEntity[]>('SELECT * FROM token WHERE id = $1', [token.id]);
      return rows[0]!;
    });
  }

  async revoke(id: string): Promise<void> {
    await this.dataSource.query('UPDATE token SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL', [id]);
  }

  /** Makes this the only token of the installation; an earlier one with another secret is revoked. */
  async install(project: string, secretHash: string): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      await openProject(manager, project);
      await manager.query(
        `UPDATE token SET revoked_at = now() WHERE installation AND secret_hash <> $1 AND revoked_at IS NULL`,
        [secretHash],
      );
      await manager.query(
        `INSERT INTO token (id, project, name, role, secret_hash, actor_id, installation)
         VALUES ($1, $2, 'installation', 'admin', $3, $4, true)
         ON CONFLICT (secret_hash) DO UPDATE
           SET project = excluded.project, role = 'admin', installation = true, expires_at = NULL, revoked_at = NULL`,
        [uuidv7(), project, secretHash, uuidv7()],
      );
    });
  }
}

const openProject = (manager: EntityManager, slug: string) =>
  manager.query('INSERT INTO project (slug, id) VALUES ($1, $2) ON CONFLICT (slug) DO NOTHING', [slug, uuidv7()]);
