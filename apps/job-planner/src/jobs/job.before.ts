import { deployments, deviceState, type JsonObject } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** Where a device reports the version of its node. */
const NODE_VERSION = 'version';

interface TaskOfDevice {
  id: string;
  device_id: string;
  deployment_id: string | null;
}

/** Finds out what devices have before a job changes it. */
@Injectable()
export class JobBefore {
  constructor(
    private readonly dataSource: DataSource,
    private readonly rpc: RpcClient,
  ) {}

  /**
   * What the devices of these tasks have of what `command` changes: the version of a node, the document and version of a deployment; nothing of
   * what is yet to be deployed, and where it is not known. Every task that there is has its answer.
   */
  async of(project_id: string, command: string, ids: readonly string[]): Promise<ReadonlyMap<string, JsonObject>> {
    const tasks = await this.dataSource.query<TaskOfDevice[]>(
      `SELECT id, device_id, deployment_id FROM job_task WHERE project_id = $1 AND id = ANY($2)`,
      [project_id, ids],
    );
    if (command === 'node_upgrade') return this.versions(project_id, tasks);
    if (command === 'deployment_upgrade') return this.documents(project_id, tasks);
    return new Map(tasks.map(({ id }) => [id, {}]));
  }

  private async versions(project_id: string, tasks: readonly TaskOfDevice[]): Promise<Map<string, JsonObject>> {
    const ids = [...new Set(tasks.map(({ device_id }) => device_id))];
    const { devices } = await this.rpc.call(deviceState.reportedAt, { project_id, ids, path: NODE_VERSION });
    const reported = new Map(devices.map(({ id, value }) => [id, value]));
    return new Map(
      tasks.map(({ id, device_id }) => {
        const version = reported.get(device_id);
        return [id, version === undefined ? {} : { version }];
      }),
    );
  }

  private async documents(project_id: string, tasks: readonly TaskOfDevice[]): Promise<Map<string, JsonObject>> {
    const ids = tasks.flatMap(({ deployment_id }) => (deployment_id === null ? [] : [deployment_id]));
    const known = new Map<string, JsonObject>();
    for (let after: string | null | undefined; after !== null;) {
      const page = await this.rpc.call(deployments.resolveDeployments, {
        project_id,
        ids,
        with_args: true,
        limit: ids.length,
        ...(after !== undefined && { after }),
      });
      for (const { id, version, args = {} } of page.deployments) known.set(id, { version, args });
      after = page.next;
    }
    return new Map(tasks.map(({ id, deployment_id }) => [id, known.get(deployment_id ?? '') ?? {}]));
  }
}
