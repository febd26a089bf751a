import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DefinitionStore } from './definition.store.js';
import { OperationListEntity } from './operation-list.entity.js';

/** The SQL of operation lists: one method a statement. */
@Injectable()
export class OperationListStore extends DefinitionStore<OperationListEntity> {
  constructor(dataSource: DataSource) {
    super(dataSource, { entity: OperationListEntity, noun: 'operation list' });
  }
}
