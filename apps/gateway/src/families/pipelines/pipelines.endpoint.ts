import { applyDecorators, HttpCode } from '@nestjs/common';
import type { TSchema } from 'typebox';
import { endpointsOf, type EndpointOptions } from '../../common/endpoint.js';
import { Envelope } from '../../common/envelope.js';
import { pipelines } from './pipelines.dialect.js';

const Endpoint = endpointsOf(pipelines);

/** The decorator of the family's routes: every success is 200, creates and deletes too, with `content` in the envelope. */
export const Answers = ({
  content,
  ...options
}: Omit<EndpointOptions, 'answers'> & { content: TSchema }): MethodDecorator =>
  applyDecorators(HttpCode(200), Endpoint({ ...options, answers: { status: 200, schema: Envelope(content) } }));
