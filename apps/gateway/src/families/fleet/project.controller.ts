import { Controller, Get, Patch } from '@nestjs/common';
import { Caller, type Principal } from '../../auth/principal.js';
import { endpointsOf } from '../../common/endpoint.js';
import { JsonBody } from '../../common/input.js';
import { ProjectStore } from '../../tokens/project.store.js';
import { fleet } from './fleet.dialect.js';
import { Project, ProjectPatch } from './fleet.dto.js';

const Endpoint = endpointsOf(fleet);

/** `/api/v1/project`: the project of the token, and its settings. */
@Controller('api/v1/project')
export class ProjectController {
  constructor(private readonly projects: ProjectStore) {}

  @Get()
  @Endpoint({
    access: 'read',
    summary: 'Show the project of the token',
    answers: { status: 200, schema: Project },
  })
  show(@Caller() { project }: Principal): Promise<Project> {
    return this.projects.get(project);
  }

  @Patch()
  @Endpoint({
    access: 'administer',
    summary: 'Change the settings of the project; they hold from the next request on',
    body: ProjectPatch,
    answers: { status: 200, schema: Project },
  })
  async patch(@Caller() { project }: Principal, @JsonBody(ProjectPatch) { four_eyes }: ProjectPatch): Promise<Project> {
    await this.projects.setFourEyes(project, four_eyes);
    return this.projects.get(project);
  }
}
