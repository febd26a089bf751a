import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DefinitionStore } from './definition.store.js';
import { TargetListDeviceGroupEntity } from './target-list-device-group.entity.js';

/** The SQL of device groups in target lists: one method a statement. */
@Injectable()
export class TargetListDeviceGroupStore extends DefinitionStore<TargetListDeviceGroupEntity> {
  constructor(dataSource: DataSource) {
    super(dataSource, { entity: TargetListDeviceGroupEntity, noun: 'device group in the target list' });
  }
}
