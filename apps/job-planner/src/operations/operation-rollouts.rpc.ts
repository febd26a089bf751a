import { operationPartEntity, operationRollouts, type RpcRequest, type RpcResponse } from '@muster/contracts';
import { currentTraceparent, Journal } from '@muster/journal';
import { isEnd } from '@muster/lifecycle';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { DataSource, In, type FindOptionsSelect } from 'typeorm';
import { progressOf, WATCHED } from '../rollout/progress.js';
import { hasRunOut } from '../rollout/rollout.decide.js';
import { RolloutEntity } from '../rollout/rollout.entity.js';
import { RolloutStore } from '../rollout/rollout.store.js';
import { RolloutWake } from '../rollout/rollout.wake.js';
import { want } from '../rollout/rollout.wish.js';
import { RAN_OUT } from '../rollout/tally.js';
import { OperationForecast } from './operation.forecast.js';
import { OperationPartEntity } from './operation-part.entity.js';
import { operationPartLifecycle } from './operation-part.lifecycle.js';

/** The states in which parts have ended. */
const ENDED = operationPartEntity.states.filter((state) => isEnd(operationPartLifecycle, state));

const RESTED = { at_rest: true, rested_at: true, wish: true, spec: true } as const;

type Contracts = typeof operationRollouts;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;
type Response<M extends keyof Contracts> = RpcResponse<Contracts[M]>;

type Ended = Response<'operationPartEnds'>['rest'];

/** What device-state asks of the rollouts of its operations. */
@Controller()
export class OperationRolloutsRpc {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly rollouts: RolloutStore,
    private readonly wake: RolloutWake,
    private readonly forecast: OperationForecast,
  ) {}

  @Rpc(operationRollouts.startOperationRollout)
  async startOperationRollout(request: Request<'startOperationRollout'>): Promise<Response<'startOperationRollout'>> {
    const { project_id, id, operation: command, requested_by, rollout: spec } = request;
    const traceparent = currentTraceparent() ?? null;
    await this.journal.transaction(project_id, (tx) =>
      this.rollouts.create(tx, { id, family: 'operation', spec, command, args: { requested_by }, traceparent }),
    );
    this.wake.wake({ project_id, id });
    return {};
  }

  @Rpc(operationRollouts.stopOperationRollout)
  async stopOperationRollout(request: Request<'stopOperationRollout'>): Promise<Response<'stopOperationRollout'>> {
    const { project_id, id, reason } = request;
    await this.journal.transaction(project_id, async (tx) => {
      const rollout = await this.rollouts.lock(tx, id);
      if (!rollout || rollout.row.at_rest || rollout.row.wish !== 'run') return;
      want(rollout, 'cancel', reason);
      await rollout.save(tx);
    });
    this.wake.wake({ project_id, id });
    return {};
  }

  @Rpc(operationRollouts.operationPartEnds)
  async operationPartEnds(request: Request<'operationPartEnds'>): Promise<Response<'operationPartEnds'>> {
    const { project_id, id, refs } = request;
    // The rollout first: what has ended by the time that it is over is found then.
    const rollout = await this.find(project_id, id, { ...RESTED, reason: true, waits_for: true });
    const ended = await this.dataSource.getRepository(OperationPartEntity).find({
      where: { project_id, operation_id: id, id: In(refs), state: In(ENDED) },
      select: { id: true, outcome: true, reason: true },
    });
    const ends = ended.map(({ id: ref, outcome, reason }) => ({ ref, end: outcome!, reason }));
    const reason = rollout?.reason ?? '';
    const rest: Ended =
      rollout && endedByTime(rollout) ? { end: 'never_contacted', reason: RAN_OUT } : { end: 'cancelled', reason };
    if (!rollout || rollout.at_rest) return { over: true, reason, ends, rest, waits_for: null };
    return { over: false, reason, ends, rest, waits_for: rollout.waits_for };
  }

  @Rpc(operationRollouts.operationProgress)
  async operationProgress({ project_id, id }: Request<'operationProgress'>): Promise<Response<'operationProgress'>> {
    const rollout = await this.find(project_id, id, WATCHED);
    return { progress: rollout && progressOf(rollout, Date.now()) };
  }

  @Rpc(operationRollouts.planOperationRollout)
  planOperationRollout(request: Request<'planOperationRollout'>): Promise<Response<'planOperationRollout'>> {
    return this.forecast.of(request);
  }

  private find(project_id: string, id: string, select: FindOptionsSelect<RolloutEntity>) {
    const rollouts = this.dataSource.getRepository(RolloutEntity);
    return rollouts.findOne({ where: { project_id, id, family: 'operation' }, select });
  }
}

/** Whether its `end_at` has ended it, maybe before every device had its place. */
const endedByTime = ({ rested_at, wish, spec }: Pick<RolloutEntity, keyof typeof RESTED>): boolean =>
  wish === 'run' && rested_at !== null && hasRunOut({ spec, now: rested_at.getTime() });
