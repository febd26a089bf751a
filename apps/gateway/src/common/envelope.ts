import Type, { type TSchema } from 'typebox';

/** What a vendor of several families wraps every success in (interfaces §2, §3). */
export const Envelope = <Content extends TSchema>(content: Content) =>
  Type.Object({ code: Type.Literal(0), message: Type.String(), content });

/** A success in that envelope. */
export const enveloped = <Content>(content: Content) => ({ code: 0 as const, message: '', content });
