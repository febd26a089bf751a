import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import {
  ApiBody,
  ApiConsumes,
  ApiHeader,
  ApiOperation,
  ApiQuery,
  ApiResponse,
  ApiSecurity,
  ApiTags,
} from '@nestjs/swagger';
import { STATUS_CODES } from 'node:http';
import type { TObject, TSchema } from 'typebox';
import type { Access } from '../auth/roles.js';
import { toOpenApi } from '../openapi/schemas.js';
import { JSON_TYPE } from './bodies.js';
import type { Family } from './family.js';

/** What a route is: enforced (`access`, `consumes`) and documented from the same words. */
export interface EndpointOptions {
  access: Access;
  summary: string;
  /** Status and body of success; no schema: no body. */
  answers: { status: number; schema?: TSchema; type?: string };
  /** Every parameter of it is optional. */
  query?: TObject;
  body?: TSchema;
  /** Whether the body may be left out, which is the same as an empty object. */
  bodyOptional?: boolean;
  /** Media type of the body; JSON unless told. */
  consumes?: string;
  /** Whether it creates one thing, and so takes an `Idempotency-Key`. */
  creates?: boolean;
  /** Statuses of refusals that do not follow from the rest. */
  refuses?: readonly number[];
}

/** The decorator of a family's routes. */
export const endpointsOf =
  (family: Family) =>
  (options: EndpointOptions): MethodDecorator => {
    const {
      access,
      summary,
      answers,
      query,
      body,
      bodyOptional,
      consumes = JSON_TYPE,
      creates,
      refuses = [],
    } = options;
    const refusals = new Set([401, 403, 500, 503, ...refuses]);
    const documents: MethodDecorator[] = [];

    const isParsed = body !== undefined && consumes === JSON_TYPE;
    if (query || isParsed) refusals.add(400);
    if (isParsed) refusals.add(413);
    for (const [name, schema] of Object.entries(query?.properties ?? {})) {
      documents.push(ApiQuery({ name, required: false, schema: toOpenApi(schema) }));
    }
    if (body) {
      refusals.add(415);
      documents.push(ApiConsumes(consumes), ApiBody({ required: !bodyOptional, schema: toOpenApi(body) }));
    }
    if (creates) {
      refusals.add(422);
      const description = 'the same key and body give the first answer again';
      documents.push(ApiHeader({ name: 'Idempotency-Key', required: false, description }));
    }
    return applyDecorators(
      RouteConfig({ access, consumes }),
      ApiTags(family.name),
      ApiSecurity('bearer'),
      ApiSecurity('token'),
      ...documents,
      ApiOperation({ summary }),
      ApiResponse(answer(answers.status, answers.schema, answers.type ?? JSON_TYPE)),
      ...[...refusals].sort().map((status) => ApiResponse(answer(status, family.errorSchema, family.errorType))),
    );
  };

const answer = (status: number, schema: TSchema | undefined, type: string) => ({
  status,
  description: STATUS_CODES[status] ?? '',
  ...(schema && { content: { [type]: { schema: toOpenApi(schema) } } }),
});
