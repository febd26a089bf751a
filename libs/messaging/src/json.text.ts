/** A document that is JSON text already: an rpc answer made of one travels as it stands, neither parsed nor written again. */
export class JsonText<out Document> {
  /** What the text says; for the compiler alone. */
  declare protected readonly document?: Document;

  constructor(readonly text: string) {}
}
