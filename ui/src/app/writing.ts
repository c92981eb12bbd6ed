/** Writes to the service: done, told, and the lists that they change read anew. */

import { type UseMutationResult, useMutation, useQueryClient } from "@tanstack/react-query";
import { say } from "@/kit/Dialog";

interface Writing<V> {
  write: (value: V) => Promise<unknown>;
  /** What is told when it is done. */
  said: (value: V) => string;
  /** First parts of the query keys that are read anew. */
  stale: readonly string[];
  done?: () => void;
}

export function useWriting<V>({
  write,
  said,
  stale,
  done,
}: Writing<V>): UseMutationResult<unknown, Error, V> {
  const client = useQueryClient();
  return useMutation<unknown, Error, V>({
    mutationFn: write,
    onSuccess: (_answer, value) => {
      for (const key of stale) void client.invalidateQueries({ queryKey: [key] });
      say(said(value));
      done?.();
    },
  });
}

/** Headers by which a write says what it replaces: the revision that was read, or nothing yet. */
export const replacing = (etag: string | undefined): { "If-Match"?: string; "If-None-Match"?: string } =>
  etag ? { "If-Match": etag } : { "If-None-Match": "*" };
