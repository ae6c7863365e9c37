// SPDX-License-Identifier: Apache-2.0

// Makes the golden files of tests/wire with the Collector's own code (pdata and the jaeger and zipkin translators):
//
//	cd tests/data/wire/gen && go run . ..
package main

import "os"

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	dir := os.Args[1]
	otlp(dir)
	jaegerThrift(dir)
	jaegerProto(dir)
	fromOtlp(dir, "otlp_python.pb")
	zipkinV2(dir)
	zipkinV1(dir)
	zipkinFrom(dir, "zipkin_source.pb")
}
