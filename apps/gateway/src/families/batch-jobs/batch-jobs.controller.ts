import { Job, jobPlanner, NewJob, RolloutPlan, type JobAction, PLAN_MS } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Delete, Get, Header, HttpCode, Post } from '@nestjs/common';
import { Caller, type Principal } from '../../auth/principal.js';
import { endpointsOf, type EndpointOptions } from '../../common/endpoint.js';
import { NoBody, JsonBody, PathId, QueryParameters } from '../../common/input.js';
import { SharedReads } from '../../common/shared.reads.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import { batchJobs } from './batch-jobs.dialect.js';
import { ListJobs, ListTasks } from './batch-jobs.dto.js';

const Endpoint = endpointsOf(batchJobs);

/** Of an answer that is handed on as the text that it is. */
const JSON_TEXT = 'application/json; charset=utf-8';

const actionOf = (summary: string): EndpointOptions => ({
  access: 'write',
  summary,
  answers: { status: 200, schema: jobPlanner.actOnJob.response },
  refuses: [400, 404, 409],
});

/** `/v2/{project_id}/productmgr/jobs` (seed 003, interfaces §1). */
@Controller('v2/:project_id/productmgr/jobs')
export class BatchJobsController {
  private readonly shown = new SharedReads<Buffer>();

  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post()
  @Endpoint({
    access: 'write',
    summary: 'Create a batch job',
    body: NewJob,
    creates: true,
    answers: { status: 201, schema: jobPlanner.createJob.response },
  })
  create(@Caller() { project, actorId }: Principal, @Creating() request: CreateRequest, @JsonBody(NewJob) job: NewJob) {
    return this.idempotency.create(request, (job_id) =>
      this.rpc.call(jobPlanner.createJob, { project_id: project, job_id, job, created_by: actorId }),
    );
  }

  @Post('plan')
  @HttpCode(200)
  @Endpoint({
    access: 'read',
    summary:
      'Say what a batch job would do: its devices, waves, conflicts, windows, duration and worst case; nothing is written',
    body: NewJob,
    answers: { status: 200, schema: RolloutPlan },
  })
  plan(@Caller() { project }: Principal, @JsonBody(NewJob) job: NewJob): Promise<RolloutPlan> {
    return this.rpc.call(jobPlanner.planJob, { project_id: project, job }, PLAN_MS);
  }

  @Get()
  @Endpoint({
    access: 'read',
    summary: 'List batch jobs',
    query: ListJobs,
    answers: { status: 200, schema: jobPlanner.listJobs.response },
  })
  list(@Caller() { project }: Principal, @QueryParameters(ListJobs) query: ListJobs) {
    const { limit = 20, offset = 0, sort = 'created_at:desc', ...filters } = query;
    return this.rpc.call(jobPlanner.listJobs, { project_id: project, ...filters, limit, offset, sort });
  }

  @Get(':job_id')
  @Endpoint({
    access: 'read',
    summary: 'Show a batch job with its tasks and targets',
    answers: { status: 200, schema: Job },
    refuses: [404],
  })
  @Header('content-type', JSON_TEXT)
  show(@Caller() { project }: Principal, @PathId('job_id') job_id: string): Promise<Buffer> {
    return this.shown.read(`${project} ${job_id}`, () =>
      this.rpc.callForText(jobPlanner.getJob, { project_id: project, job_id }),
    );
  }

  @Get(':job_id/tasks')
  @Endpoint({
    access: 'read',
    summary: 'List the tasks of a batch job',
    query: ListTasks,
    answers: { status: 200, schema: jobPlanner.listTasks.response },
    refuses: [404],
  })
  @Header('content-type', JSON_TEXT)
  tasks(
    @Caller() { project }: Principal,
    @PathId('job_id') job_id: string,
    @QueryParameters(ListTasks) { limit = 20, ...rest }: ListTasks,
  ) {
    return this.rpc.callForText(jobPlanner.listTasks, { project_id: project, job_id, limit, ...rest });
  }

  @Delete(':job_id')
  @HttpCode(204)
  @Endpoint({
    access: 'write',
    summary: 'Delete a batch job that has ended or is stopped',
    answers: { status: 204 },
    refuses: [404, 409],
  })
  async delete(@Caller() { project }: Principal, @PathId('job_id') job_id: string): Promise<void> {
    await this.rpc.call(jobPlanner.deleteJob, { project_id: project, job_id });
  }

  @Post(':job_id/pause')
  @HttpCode(200)
  @Endpoint(actionOf('Start no more tasks; stopped once those in flight have ended'))
  pause(@Caller() caller: Principal, @PathId('job_id') job_id: string, @NoBody() _: void) {
    return this.act(caller, job_id, 'pause');
  }

  @Post(':job_id/restore')
  @HttpCode(200)
  @Endpoint(actionOf('Go on with the remaining tasks of a stopped job'))
  restore(@Caller() caller: Principal, @PathId('job_id') job_id: string, @NoBody() _: void) {
    return this.act(caller, job_id, 'restore');
  }

  @Post(':job_id/retry')
  @HttpCode(200)
  @Endpoint(actionOf('Run the tasks again that did not succeed'))
  retry(@Caller() caller: Principal, @PathId('job_id') job_id: string, @NoBody() _: void) {
    return this.act(caller, job_id, 'retry');
  }

  @Post(':job_id/cancel')
  @HttpCode(200)
  @Endpoint(actionOf('Start no more tasks, and cancel those in flight'))
  cancel(@Caller() caller: Principal, @PathId('job_id') job_id: string, @NoBody() _: void) {
    return this.act(caller, job_id, 'cancel');
  }

  private act({ project }: Principal, job_id: string, action: JobAction) {
    return this.rpc.call(jobPlanner.actOnJob, { project_id: project, job_id, action });
  }
}
