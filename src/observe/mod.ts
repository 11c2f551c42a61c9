export {
  createLogger,
  defaultLogFormat,
  type LogFields,
  type LogFormat,
  type Logger,
  type LoggerOptions,
  type LogLevel,
} from "./log.ts";
