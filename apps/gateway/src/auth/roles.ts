/** The roles of a token (interfaces: "Common to every family"). */
export const ROLES = ['viewer', 'operator', 'approver', 'admin', 'service'] as const;
export type Role = (typeof ROLES)[number];

/**
 * What a route asks of a token. `report`: to say what became of something that another asked for. `settle`: to end such a thing at all, be it by
 * `write` or by `report`; what is asked then decides which of them it takes. `approve`: to decide what waits for the word of a person.
 */
export type Access = 'read' | 'write' | 'report' | 'settle' | 'approve' | 'administer';

const GRANTS: Record<Role, readonly Access[]> = {
  viewer: ['read'],
  operator: ['read', 'write', 'settle'],
  approver: ['read', 'approve'],
  admin: ['read', 'write', 'report', 'settle', 'approve', 'administer'],
  service: ['read', 'report', 'settle'],
};

export const mayAccess = (role: Role, access: Access): boolean => GRANTS[role].includes(access);
