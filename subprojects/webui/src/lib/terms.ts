// SPDX-License-Identifier: Apache-2.0
// The words of Jaeger, or those of OpenTelemetry (useOpenTelemetryTerms).
import { config } from './config';

const otel = config.useOpenTelemetryTerms;
export const terms = {
  operation: otel ? 'Span name' : 'Operation',
  tags: otel ? 'Attributes' : 'Tags',
  process: otel ? 'Resource' : 'Process',
};
