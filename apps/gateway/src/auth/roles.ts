/** The roles of a token (interfaces: "Common to every family"). */
export const ROLES = ['viewer', 'operator', 'approver', 'admin', 'service'] as const;
export type Role = (typeof ROLES)[number];

/** What a route asks of a token. */
export type Access = 'read' | 'write' | 'administer';

const GRANTS: Record<Role, readonly Access[]> = {
  viewer: ['read'],
  operator: ['read', 'write'],
  approver: ['read'],
  admin: ['read', 'write', 'administer'],
  service: ['read'],
};

export const mayAccess = (role: Role, access: Access): boolean => GRANTS[role].includes(access);
