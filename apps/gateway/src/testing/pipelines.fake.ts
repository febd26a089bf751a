import { DomainError, invalidField, pipelineRpcs, type RpcContract } from '@muster/contracts';
import type { NatsConnection } from 'nats';
import { answerRpc } from './services.fake.js';

const TIME = '2025-01-01T00:00:00.000Z';
const VERBS = /^(create|get|list|change|delete|link|unlink|add)/;

type Asked = Record<string, unknown> & { project_id: string; id: string };
type Row = Record<string, unknown> & { id: string };

/**
 * The definitions of job-planner as far as their contracts are alike: a create keeps what it was given below the ids in its path, creates
 * are idempotent by id, lists have all of their kind in the project, the type of a target list stays.
 */
export class FakePipelines {
  /** Every question with its method. */
  readonly asked: { method: string; request: Asked }[] = [];
  private readonly rows = new Map<string, { kind: string; project: string; row: Row }>();

  constructor(private readonly bus: NatsConnection) {}

  async start(): Promise<void> {
    for (const contract of pipelineRpcs) {
      answerRpc(this.bus, contract, (request) => {
        this.asked.push({ method: contract.method, request: request as Asked });
        return this.answer(contract, request as Asked);
      });
    }
    await this.bus.flush();
  }

  private answer({ method }: RpcContract, request: Asked): unknown {
    const verb = VERBS.exec(method)![0];
    const kind = method.slice(verb.length).replace(/s$/, '').replace('StageTargetList', 'TargetList');
    if (verb === 'create') return this.create(kind, request);
    if (verb === 'list') return this.list(kind, request);
    if (method === 'addTargets') return this.add(request);
    const row = this.find(kind, { ...request, id: request.id ?? request['target_list_id'] });
    if (verb === 'delete') this.rows.delete(row.id);
    if (verb === 'change') this.change(row, request);
    return row;
  }

  private create(kind: string, { project_id: project, definition, by, ...ids }: Asked): Row {
    const audit = { created_by: by, updated_by: by, created_at: TIME, updated_at: TIME };
    const known = this.rows.get(ids.id);
    if (!known) this.rows.set(ids.id, { kind, project, row: { ...ids, ...(definition as object), ...audit } });
    return this.find(kind, { project_id: project, id: ids.id });
  }

  private change(row: Row, { change, by }: Asked): void {
    const { target_list_type = row['target_list_type'] } = change as Partial<Row>;
    if (target_list_type !== row['target_list_type']) throw invalidField('target_list_type', 'cannot be changed');
    Object.assign(row, change, { updated_by: by });
  }

  private list(kind: string, { project_id, limit, offset, device_ids }: Asked) {
    const all = [...this.rows.values()]
      .filter((one) => one.kind === kind && one.project === project_id)
      .map(({ row }) => row)
      .filter((row) => !device_ids || (device_ids as unknown[]).includes(row['device_id']));
    // No more than 400 at once, as where answers are large.
    const results = all.slice(offset as number, (offset as number) + Math.min(limit as number, 400));
    return { count: all.length, results };
  }

  /** Devices whose id begins with `dead` do not exist. */
  private add({ device_ids, ...request }: Asked): { added: number } {
    const devices = [...new Set((device_ids as string[]).map((id) => id.toLowerCase()))];
    const message = (id: string) => `no device ${id}`;
    const errors = devices.flatMap((id, at) =>
      id.startsWith('dead') ? [{ field: `device_ids.${at}`, message: message(id) }] : [],
    );
    if (errors[0]) throw new DomainError('invalid', `${errors[0].field}: ${errors[0].message}`, { errors });
    const added = devices.filter((device_id) => !this.rows.has(device_id));
    for (const device_id of added) this.create('Target', { ...request, id: device_id, definition: { device_id } });
    return { added: added.length };
  }

  private find(kind: string, { project_id, id }: { project_id: string; id: unknown }): Row {
    const known = this.rows.get(id as string);
    if (known?.kind !== kind || known.project !== project_id)
      throw new DomainError('not_found', `no ${kind} ${String(id)}`);
    return known.row;
  }
}
