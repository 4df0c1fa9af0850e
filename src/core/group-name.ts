/** The longest name of a group, in UTF-16 code units. */
export const MAX_GROUP_LENGTH = 256;

/** What the name of a group must be. */
export const GROUP_NAME: string = `a text of 1 to ${MAX_GROUP_LENGTH} characters without control characters`;

/** Whether it can be the name of a group. */
export function isGroupName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_GROUP_LENGTH && /^\P{Cc}+$/u.test(value);
}
