import {
  OperationList,
  OperationListChange,
  PipelineChange,
  PipelineOperation,
  PipelineOperationChange,
  StageChange,
  Target,
  TargetChange,
  TargetList,
  TargetListChange,
  type JsonObject,
} from '@muster/contracts';
import Type, { type Static, type TObject, type TProperties } from 'typebox';
import { Pipeline, Stage } from './pipelines.dto.js';

/**
 * Body of a PUT. The vendor's clients send back the whole document that they read: beside what may change it may have the rest of the document,
 * of its types, which is ignored.
 */
const putOf = (change: TObject, document: TObject): TObject => {
  const ignored = Object.entries(document.properties).map(([name, schema]) => [name, { ...schema, readOnly: true }]);
  const fields = { ...Object.fromEntries(ignored), ...change.properties } as TProperties;
  return Type.Partial(Type.Object(fields), { additionalProperties: false });
};

/** `is_visible` and `is_archived` have but one value. */
export const PipelinePut = putOf(PipelineChange, Pipeline);
export const StagePut = putOf(StageChange, Stage);
export const TargetListPut = putOf(TargetListChange, TargetList);
export const TargetPut = putOf(TargetChange, Target);
export const OperationListPut = putOf(OperationListChange, OperationList);
export const PipelineOperationPut = putOf(PipelineOperationChange, PipelineOperation);

/** What such a body changes. */
export const changeIn = <Change extends TObject>(change: Change, put: JsonObject): Static<Change> =>
  Object.fromEntries(Object.entries(put).filter(([name]) => Object.hasOwn(change.properties, name))) as Static<Change>;
