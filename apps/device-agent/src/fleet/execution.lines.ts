/** One execution of a command by a device. `at`: ISO 8601. */
export interface ExecutionLine {
  device_id: string;
  command_id: string;
  fence: number;
  at: string;
}

/** What an execution came to, by the device's own word. */
export interface EndLine extends ExecutionLine {
  status: 'success' | 'failure';
}
