/** The roles of tokens, each of which may do all that those before it may. */

export const ROLES = ["sender", "viewer", "operator", "editor", "admin"] as const;

export type Role = (typeof ROLES)[number];

/** What a role is for, as people choose one. */
export const ROLE_TEXTS: Record<Role, string> = {
  sender: "send events, and see nothing",
  viewer: "look at everything but secrets",
  operator: "start, steer and answer runs",
  editor: "change schedules, pools, variables, connections, secrets",
  admin: "give and take away tokens, read the audit log",
};

export const allows = (has: Role, needed: Role): boolean => ROLES.indexOf(has) >= ROLES.indexOf(needed);

export const denial = (has: Role, needed: Role): string =>
  `This needs the role ${needed}; yours is ${has}. An admin can give you another token.`;
