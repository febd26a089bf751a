import { deviceState, DomainError, NewDevice, type DeviceDetail } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { parseDocument } from '../common/document.js';
import type { BulkAnswer } from '../families/fleet/fleet.dto.js';
import { batchLines } from './batches.js';
import { breachesByDevice, summaryOf } from './breaches.js';
import { readLines, type Line } from './lines.js';

/** A line that is fit to be asked for. */
interface Candidate {
  line: number;
  id: string;
  device: NewDevice;
}

/** Registers devices: one, or a stream of lines. */
@Injectable()
export class DeviceRegistration {
  constructor(private readonly rpc: RpcClient) {}

  /** Again with the same id it answers the same. @throws DomainError `conflict` when the name is another device's, `invalid`. */
  async register(project: string, id: string, device: NewDevice): Promise<DeviceDetail> {
    const [result] = await this.ask(project, [{ id, device }]).catch((error: unknown) => {
      const errors = error instanceof DomainError ? breachesByDevice(error).get(0) : undefined;
      throw errors ? new DomainError('invalid', summaryOf(errors), { errors }) : error;
    });
    if (result?.id !== id) throw new DomainError('conflict', `name: ${device.name} is taken`);
    return this.rpc.call(deviceState.getDevice, { project_id: project, id });
  }

  /**
   * Registers batch by batch and answers every line in order: {@link BulkAnswer}, a line each. A bad line says so and stops nothing; nor
   * does a service that is away, whose lines are errors until it is back. Asking again with the same lines registers what is missing.
   * Memory holds a few batches, as the reader of the answers sets the pace.
   */
  async *registerLines(project: string, body: AsyncIterable<Buffer>): AsyncGenerator<string> {
    for await (const lines of batchLines(readLines(body))) {
      const read = lines.map(candidateOf);
      const registered = await this.registerBatch(
        project,
        read.filter((one) => 'device' in one),
      );
      const answers = read.map((one) => ('device' in one ? registered.get(one.line)! : one));
      yield answers.map((answer) => `${JSON.stringify(answer)}\n`).join('');
    }
  }

  /** @returns the answers by line. */
  private async registerBatch(project: string, batch: Candidate[]): Promise<Map<number, BulkAnswer>> {
    const answers = new Map<number, BulkAnswer>();
    const refuse = ({ line, device: { name } }: Candidate, message: string) =>
      answers.set(line, { line, status: 'error', name, message });

    // One bad device has the whole batch refused: it is taken out, and the rest asked for again.
    let left = batch;
    while (left.length > 0) {
      const asked = left;
      left = [];
      try {
        const results = await this.ask(project, asked);
        for (const [at, { line }] of asked.entries()) answers.set(line, { line, ...results[at]! });
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        const breaches = breachesByDevice(error);
        for (const [at, candidate] of asked.entries()) {
          const own = breaches.get(at);
          if (own) refuse(candidate, summaryOf(own));
          else if (breaches.size > 0) left.push(candidate);
          else refuse(candidate, error.message);
        }
        // A place that is none of the batch's would have it asked for without end.
        if (left.length === asked.length) for (const candidate of left.splice(0)) refuse(candidate, error.message);
      }
    }
    return answers;
  }

  private async ask(project: string, devices: { id: string; device: NewDevice }[]) {
    const items = devices.map(({ id, device }) => ({ id, device }));
    const { results } = await this.rpc.call(deviceState.registerDevices, { project_id: project, devices: items });
    return results;
  }
}

function candidateOf(line: Line): Candidate | BulkAnswer {
  const refused = (message: string): BulkAnswer => ({ line: line.number, status: 'error', message });
  if ('problem' in line) return refused(line.problem);
  let value: unknown;
  try {
    value = JSON.parse(line.text);
  } catch {
    return refused('not JSON');
  }
  try {
    return { line: line.number, id: uuidv7(), device: parseDocument(NewDevice, value) };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return refused(error.message);
  }
}
