import { IdempotencyKeyEntity } from './idempotency/idempotency-key.entity.js';
import { Gateway1700000004000 } from './migrations/1700000004000-gateway.js';
import { ProjectEntity } from './tokens/project.entity.js';
import { TokenEntity } from './tokens/token.entity.js';

export const entities = [ProjectEntity, TokenEntity, IdempotencyKeyEntity];
export const migrations = [Gateway1700000004000];
