// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// otlp turns otlp_python.pb into the Collector's own JSON of it.
func otlp(dir string) {
	bytes, err := os.ReadFile(dir + "/otlp_python.pb")
	check(err)
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(bytes)
	check(err)
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	check(err)
	check(os.WriteFile(dir+"/otlp_pdata.json", text, 0o644))
}
