import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DefinitionStore } from './definition.store.js';
import { TargetListEntity } from './target-list.entity.js';

/** The SQL of target lists: one method a statement. */
@Injectable()
export class TargetListStore extends DefinitionStore<TargetListEntity> {
  constructor(dataSource: DataSource) {
    super(dataSource, { entity: TargetListEntity, noun: 'target list' });
  }
}
