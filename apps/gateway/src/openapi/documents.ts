import { ProjectId, Uuid } from '@muster/contracts';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { VERSION } from '../common/version.js';
import { namedSchemas, toOpenApi } from './schemas.js';

const DESCRIPTION = `One control plane, several documented API families. A token is sent as \`Authorization: Bearer\` or as
\`X-Auth-Token\`. Unknown fields and wrong types are refused with the field's path. Every answer carries \`X-request-id\`.
What is on the bus is described at /asyncapi.json.`;

/** The OpenAPI 3.1 document of all families. */
export function openApiDocument(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Muster')
    .setVersion(VERSION)
    .setDescription(DESCRIPTION)
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addTag('batch-jobs', 'Batch jobs over many devices')
    .addTag('operations', 'Operations, device operations and commands')
    .addTag('pipelines', 'Pipelines, their stages, targets, operations and runs')
    .addTag('fleet', 'Devices, tokens and dead letters')
    .addTag('operation', 'Health, metrics and documents of the installation')
    .addSecurity('bearer', { type: 'http', scheme: 'bearer' })
    .addSecurity('token', { type: 'apiKey', in: 'header', name: 'X-Auth-Token' })
    .build();
  const document = SwaggerModule.createDocument(app, config, { autoTagControllers: false });
  document.components = { ...document.components, schemas: namedSchemas() };
  for (const [path, item] of Object.entries(document.paths)) complete(path, item as Record<string, Operation>);
  return document;
}

interface Operation {
  tags?: string[];
  parameters?: { name: string; in: string; required?: boolean; schema?: object }[];
}

/** Path parameters follow from the path, and what belongs to no family keeps the installation running. */
function complete(path: string, item: Record<string, Operation>): void {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  for (const operation of Object.values(item)) {
    operation.tags ??= ['operation'];
    const ofPath = names.map((name) => ({
      name,
      in: 'path',
      required: true,
      schema: toOpenApi(name === 'project_id' ? ProjectId : Uuid),
    }));
    operation.parameters = [...ofPath, ...(operation.parameters ?? []).filter((one) => one.in !== 'path')];
  }
}

/** Serves `/openapi.json`, and `/docs` to browse it; both come from this process alone. */
export function serveDocuments(app: NestFastifyApplication): void {
  SwaggerModule.setup('docs', app, openApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Muster API',
    swaggerOptions: { validatorUrl: null },
  });
}
