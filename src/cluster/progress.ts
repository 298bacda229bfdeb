/** How a long operation tells what it does: each step with its time, as it happens. */
export interface Progress {
  /** Runs one step and reports its title, outcome and duration. */
  step<T>(title: string, action: () => Promise<T>): Promise<T>;
  /** A line that is no step. */
  note(text: string): void;
}

export const silentProgress: Progress = {
  step: (_title, action) => action(),
  note: () => undefined,
};
