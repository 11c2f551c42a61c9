/** How many files this process may have open: one for each inner map while records are published, among others. */

export interface OpenFiles {
  /** Infinity: no limit. */
  readonly soft: number;
  readonly hard: number;
}

/** @param limits of /proc/self/limits */
export function readOpenFiles(limits: string): OpenFiles {
  const match = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits);
  if (match === null) throw new Error("/proc/self/limits has no line Max open files");
  const number = (text: string) => text === "unlimited" ? Infinity : Number(text);
  return { soft: number(match[1]), hard: number(match[2]) };
}
