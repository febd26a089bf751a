/** The roles of a token (interfaces: "Common to every family"). */
export const ROLES = ['viewer', 'operator', 'approver', 'admin', 'service'] as const;
export type Role = (typeof ROLES)[number];

/** What a route asks of a token. `report`: to say what became of something that another asked for. */
export type Access = 'read' | 'write' | 'report' | 'administer';

const GRANTS: Record<Role, readonly Access[]> = {
  viewer: ['read'],
  operator: ['read', 'write'],
  approver: ['read'],
  admin: ['read', 'write', 'report', 'administer'],
  service: ['read', 'report'],
};

export const mayAccess = (role: Role, access: Access): boolean => GRANTS[role].includes(access);
