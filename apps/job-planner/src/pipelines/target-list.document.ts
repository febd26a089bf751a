import { TargetList } from '@muster/contracts';
import { documentOf } from './definition.document.js';
import type { TargetListEntity } from './target-list.entity.js';

/** A row as everybody sees it. */
export const toTargetList = (row: TargetListEntity): TargetList => documentOf<TargetList>(TargetList, row);
