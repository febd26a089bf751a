/**
 * What a stage tells each of its devices, as its rollouts are known by: the names of its operations in their order, with blanks between. A device
 * holds its slot for all of them, so how long it took says something of stages with the same ones alone; of a single one, something of its command.
 */
export const commandOf = (operations: readonly string[]): string => operations.join(' ');
