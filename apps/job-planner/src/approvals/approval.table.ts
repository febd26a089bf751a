import { approvalEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { approvalLifecycle } from './approval.lifecycle.js';

export const approvalTable = defineStateTable(approvalEntity, {
  lifecycle: approvalLifecycle,
  table: 'approval',
  activity: false,
  traced: false,
  eventData: ['subject_entity', 'subject_id'],
  columns: {
    subject_entity: 'text',
    subject_id: 'uuid',
    subject_name: 'text',
    wave: 'integer',
    requested_by: 'uuid',
    decided_by: 'uuid',
  },
});
