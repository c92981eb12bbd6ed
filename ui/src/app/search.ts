/** What addresses hold after the `?`: every filter, zoom and selection. Wrong values are left out. */

type Raw = Record<string, unknown>;

export const text = (raw: Raw, key: string): string | undefined => {
  const value = raw[key];
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
};

export const number = (raw: Raw, key: string): number | undefined => {
  const value = Number(raw[key]);
  return raw[key] !== undefined && raw[key] !== "" && Number.isFinite(value) ? value : undefined;
};

export const whole = (raw: Raw, key: string): number | undefined => {
  const value = number(raw, key);
  return value !== undefined && Number.isInteger(value) && value >= 0 ? value : undefined;
};
