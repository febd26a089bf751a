/** What {@link isAdminToken} asks for, for the message that refuses another. */
export const ADMIN_TOKEN_RULE = 'must be 16 to 512 printable ASCII characters without a blank';

/** Whether a text may be `MUSTER_ADMIN_TOKEN`: what a header can carry, and no blank that a shell or a proxy would cut off. */
export const isAdminToken = (text: string): boolean => /^[\x21-\x7e]{16,512}$/.test(text);
