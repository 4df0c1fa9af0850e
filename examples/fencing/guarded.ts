/** A value that outlasts its writer, and refuses a writer who led before another one who wrote. */
export interface Guarded {
  /** Writes, unless somebody wrote with a higher token: whether it was written. */
  write(token: number, value: string): Promise<boolean>;
  /** What was written last, and with which token; null: nothing. */
  read(): Promise<{ readonly token: number; readonly value: string } | null>;
  close(): Promise<void>;
}
