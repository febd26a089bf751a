import {
  AddedDevices,
  MAX_LOOKED_UP_TARGETS,
  NewTarget,
  pipelines,
  renamed,
  Target,
  TargetChange,
  type JsonObject,
} from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Delete, Get, Post, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { enveloped } from '../../common/envelope.js';
import { JsonBody, PathIds, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import {
  AddedTargets,
  ListParts,
  TargetPage,
  targetListKey,
  type TargetListKey,
  type TargetListPath,
  type TargetPath,
} from './pipelines.dto.js';
import { Answers } from './pipelines.endpoint.js';
import { changeIn, TargetPut } from './pipelines.puts.js';

const { target: contracts } = pipelines;

const keyOf = (caller: Principal, path: TargetPath) => ({ ...targetListKey(caller, path), id: path.target_id });

/** `/api/pipelines/v0/pipelines/{p}/targetlists/{tl}/targets` and `…/targets-bulk` (interfaces §2). */
@Controller('api/pipelines/v0/pipelines/:pipeline_id/targetlists/:targetlist_id')
export class TargetsController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post('targets')
  @Answers({
    access: 'write',
    summary: 'Put a device into a target list',
    body: NewTarget,
    creates: true,
    content: Target,
    refuses: [404],
  })
  create(
    @Caller() caller: Principal,
    @Creating() creating: CreateRequest,
    @PathIds() path: TargetListPath,
    @JsonBody(NewTarget) definition: NewTarget,
  ) {
    return this.idempotency.create(creating, async (id) => {
      const asked = { ...targetListKey(caller, path), id, definition, by: caller.actorNumber };
      return enveloped(await this.rpc.call(contracts.create, asked));
    });
  }

  @Post('targets-bulk')
  @Answers({
    access: 'write',
    summary: 'Put many devices into a target list, all or none; those that are in it stay as they are',
    body: AddedDevices,
    content: AddedTargets,
    refuses: [404],
  })
  async addAll(
    @Caller() caller: Principal,
    @PathIds() path: TargetListPath,
    @JsonBody(AddedDevices) device_ids: AddedDevices,
  ) {
    const key = targetListKey(caller, path);
    const devices = [...new Set(device_ids.map((id) => id.toLowerCase()))];
    const added = await this.add(key, device_ids, caller.actorNumber);
    const counts = { created_count: added, added_count: added, skipped_count: devices.length - added };
    return enveloped<AddedTargets>({ ...counts, errors: [], targets: await this.targetsOf(key, devices) });
  }

  @Get('targets')
  @Answers({
    access: 'read',
    summary: 'List the devices of a target list',
    query: ListParts,
    content: TargetPage,
    refuses: [404],
  })
  async list(
    @Caller() caller: Principal,
    @PathIds() path: TargetListPath,
    @QueryParameters(ListParts) query: ListParts,
    @Req() { url }: FastifyRequest,
  ) {
    const place = offsetOf(query);
    const page = await this.rpc.call(contracts.list, { ...targetListKey(caller, path), ...place });
    return enveloped(offsetPage(url, place, page));
  }

  @Get('targets/:target_id')
  @Answers({ access: 'read', summary: 'Show a device of a target list', content: Target, refuses: [404] })
  async show(@Caller() caller: Principal, @PathIds() path: TargetPath) {
    return enveloped(await this.rpc.call(contracts.get, keyOf(caller, path)));
  }

  @Put('targets/:target_id')
  @Answers({
    access: 'write',
    summary: 'Rename a device in a target list, or have runs leave it out',
    body: TargetPut,
    content: Target,
    refuses: [404],
  })
  async change(@Caller() caller: Principal, @PathIds() path: TargetPath, @JsonBody(TargetPut) body: JsonObject) {
    const asked = { ...keyOf(caller, path), change: changeIn(TargetChange, body), by: caller.actorNumber };
    return enveloped(await this.rpc.call(contracts.change, asked));
  }

  @Delete('targets/:target_id')
  @Answers({ access: 'write', summary: 'Take a device out of a target list', content: Target, refuses: [404] })
  async delete(@Caller() caller: Principal, @PathIds() path: TargetPath) {
    return enveloped(await this.rpc.call(contracts.delete, keyOf(caller, path)));
  }

  /** The body is the list itself: a field of it is a place. */
  private async add(key: TargetListKey, device_ids: AddedDevices, by: number): Promise<number> {
    try {
      return (await this.rpc.call(contracts.addAll, { ...key, device_ids, by })).added;
    } catch (error) {
      throw renamed(error, 'device_ids.', '');
    }
  }

  /** In the order of the devices. Their documents together may be more than the bus carries in one answer. */
  private async targetsOf(key: TargetListKey, devices: readonly string[]): Promise<Target[]> {
    const found = new Map<string, Target>();
    for (let at = 0; at < devices.length; at += MAX_LOOKED_UP_TARGETS) {
      const device_ids = devices.slice(at, at + MAX_LOOKED_UP_TARGETS);
      let offset = 0;
      for (let more = true; more;) {
        const asked = { ...key, device_ids, limit: MAX_LOOKED_UP_TARGETS, offset };
        const { count, results } = await this.rpc.call(contracts.list, asked);
        for (const target of results) found.set(target.device_id, target);
        offset += results.length;
        more = results.length > 0 && offset < count;
      }
    }
    return devices.flatMap((device) => found.get(device) ?? []);
  }
}
