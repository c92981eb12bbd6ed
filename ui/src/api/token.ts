/** The API token, where the service asks for one. */

const KEY = "weft.token";
const listeners = new Set<() => void>();

export const token = (): string => {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
};

export function setToken(value: string): void {
  if (value) localStorage.setItem(KEY, value);
  else localStorage.removeItem(KEY);
  for (const each of listeners) each();
}

export function onToken(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const authorization = (): Record<string, string> => {
  const value = token();
  return value ? { authorization: `Bearer ${value}` } : {};
};
