// SPDX-License-Identifier: Apache-2.0

// Polls a sampling endpoint with the Go SDK's jaegerremote sampler until all traces of the first operation are sampled, and
// prints the share of each operation's.
//
//	sampler HOST:PORT SERVICE OPERATION...
package main

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"time"

	"go.opentelemetry.io/contrib/samplers/jaegerremote"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"
)

func share(sampler trace.Sampler, operation string) float64 {
	sampled := 0
	for i := 0; i < 1000; i++ {
		var id api.TraceID
		_, _ = rand.Read(id[:])
		result := sampler.ShouldSample(trace.SamplingParameters{TraceID: id, Name: operation})
		if result.Decision == trace.RecordAndSample {
			sampled++
		}
	}
	return float64(sampled) / 1000
}

func main() {
	server, service, operations := os.Args[1], os.Args[2], os.Args[3:]
	sampler := jaegerremote.New(service, jaegerremote.WithSamplingServerURL("http://"+server+"/sampling"),
		jaegerremote.WithSamplingRefreshInterval(100*time.Millisecond),
		jaegerremote.WithInitialSampler(trace.NeverSample()))
	defer sampler.Close()
	for end := time.Now().Add(30 * time.Second); share(sampler, operations[0]) < 1 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	shares := map[string]float64{}
	for _, operation := range operations {
		shares[operation] = share(sampler, operation)
	}
	_ = json.NewEncoder(os.Stdout).Encode(shares)
}
