import { invalidField, type TargetList } from '@muster/contracts';
import type { TargetListEntity } from './target-list.entity.js';

/** The key of the list that a part of it names. */
export const targetListKey = (part: { project_id: string; pipeline_id: string; target_list_id: string }) => ({
  project_id: part.project_id,
  pipeline_id: part.pipeline_id,
  id: part.target_list_id,
});

/** @throws DomainError `invalid` naming the field of what the list does not take. */
export function checkListType(
  { target_list_type }: TargetListEntity,
  type: TargetList['target_list_type'],
  field: string,
): void {
  if (target_list_type !== type) throw invalidField(field, `the target list is one of ${target_list_type}`);
}
