// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/jaegertracing/jaeger-idl/thrift-gen/zipkincore"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/zipkin/zipkinv1"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/zipkin/zipkinv2"
	zipkinmodel "github.com/openzipkin/zipkin-go/model"
	"github.com/openzipkin/zipkin-go/proto/zipkin_proto3"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

type object map[string]any

func maybe(o object, key string, value any) {
	if !one(3) {
		o[key] = value
	}
}

func v2Endpoint(service string) object {
	e := object{}
	if service != "" {
		e["serviceName"] = service
	}
	maybe(e, "ipv4", pick("10.1.2.3", "127.0.0.1"))
	if one(3) {
		e["ipv6"] = pick("2001:db8::c001", "::1", "::ffff:1.2.3.4", "1:0:0:2:0:0:0:3", "fe80::")
	}
	maybe(e, "port", pick(80, 65535, 0))
	return e
}

// Tags that depend on the service only: which of a service's spans comes first is left to Go's sort.
func v2Tags(service, scope string) object {
	tags := object{}
	keys := []string{"plain", "other", "span.kind", "error", "otel.status_code", "otel.status_description", "http.status_code", "w3c.tracestate",
		"network.local.address", "net.peer.port", "größe", "component"}
	for n := random.Intn(8); n > 0; n-- {
		tags[pick(keys...)] = pick("true", "false", "", "x", "Ok", "Error", "STATUS_CODE_ERROR", "STATUS_CODE_UNSET", "internal", "404", "-12", "1.5", "9223372036854775808", "1.", "ünï \"\n", "-0")
	}
	if one(4) {
		tags["otlp.link.0"] = pick("00000000000000070000000000000001|0000000000000009|a=b|{\"k\":\"v\",\"n\":3,\"f\":2.5,\"b\":true,\"o\":{\"x\":1},\"p\":\"a|b\"}|4",
			"||c=d|{}|0", "\"00000000000000070000000000000001\"|\"0000000000000009\"||null|1", "too|few|parts")
		tags["otlp.link.1"] = "||||"[:3]
		tags["otlp.link.3"] = "never read"
	}
	if service == "shop" {
		tags["k8s.pod.name"], tags["service.version"], tags["telemetry.sdk.name"], tags["opencensus.exporterversion"] = "pod-1", "1.0", "ot", "x"
	}
	if service == "renamed" {
		tags["otlp.service.name.source"] = "faas.name"
	}
	if scope != "" {
		tags[pick("otel.scope.name", "otel.library.name")] = scope
		tags["otel.scope.version"] = scope + "-1"
	}
	return tags
}

func v2Span(i int) object {
	service, scope := pick("shop", "cart", "", "renamed", "Größe"), pick("", "", "lib", "lob")
	id := fmt.Sprintf("%016x", i+1)
	s := object{"traceId": pick("7", "0000000000000007", "00000000000000070000000000000001", "ABCDEF12345678901234567890abcdef"), "id": pick(id, fmt.Sprintf("%x", i+1)),
		"tags": v2Tags(service, scope)}
	maybe(s, "parentId", pick("1", id, "00000000000000ff"))
	maybe(s, "name", pick("get /", "GET", ""))
	maybe(s, "kind", pick("CLIENT", "SERVER", "PRODUCER", "CONSUMER", "other"))
	maybe(s, "timestamp", 1700000000000000+i)
	maybe(s, "duration", pick(0, 1, 123456))
	maybe(s, "debug", true)
	maybe(s, "shared", true)
	if service != "" || one(2) {
		s["localEndpoint"] = v2Endpoint(service)
	}
	maybe(s, "remoteEndpoint", v2Endpoint(pick("db", "")))
	var notes []object
	for n := random.Intn(4); n > 0; n-- {
		notes = append(notes, object{"timestamp": 1700000000000001 + n, "value": pick("hit", "a|b", "ev|{\"k\":\"v|w\",\"n\":1}|3", "ev|{}|0", "")})
	}
	maybe(s, "annotations", notes)
	return s
}

func unmarshal(name string, u ptrace.Unmarshaler, b []byte) {
	t, err := u.UnmarshalTraces(b)
	traces(name, t, err)
}

func write(name string, value any) []byte {
	b, err := json.Marshal(value)
	check(err)
	check(os.WriteFile(name, b, 0o644))
	return b
}

func zipkinV2(dir string) {
	for n := 0; n < 4; n++ {
		var spans []object
		for i := 0; i < 20; i++ {
			spans = append(spans, v2Span(i))
		}
		name := fmt.Sprintf("%s/zipkin_v2_%d", dir, n)
		suffix := pick("zipkin_v2", "zipkin_v2_parsed")
		if n < 2 {
			suffix = []string{"zipkin_v2", "zipkin_v2_parsed"}[n]
		}
		b := write(name+"."+suffix, spans)
		unmarshal(name, zipkinv2.NewJSONTracesUnmarshaler(strings.HasSuffix(suffix, "parsed")), b)

		// the same as protobuf, where an absent time is 1970
		var models []*zipkinmodel.SpanModel
		check(json.Unmarshal(b, &models))
		p, err := zipkin_proto3.SpanSerializer{}.Serialize(models)
		check(err)
		name = fmt.Sprintf("%s/zipkin_proto_%d", dir, n)
		check(os.WriteFile(name+".zipkin_proto", p, 0o644))
		unmarshal(name, zipkinv2.NewProtobufTracesUnmarshaler(false, false), p)
	}
}

var v1Keys = []string{"lc", "error", "otel.status_code", "otel.status_description", "census.status_code", "census.status_description", "opencensus.status_description",
	"http.status_code", "http.status_message", "plain", "plain", "sa", "ca", ""}
var v1Values = []string{"true", "", "0", "1", "2", "-7", "404", "399", "x", "1.5", "lib", "99999999999"}

func v1Endpoint() object {
	e := object{}
	maybe(e, "serviceName", pick("shop", "cart", "unknown-service"))
	maybe(e, "ipv4", pick("10.1.2.3", "127.0.0.1"))
	if one(3) {
		e["ipv6"] = "2001:db8::c001"
	}
	maybe(e, "port", pick(80, -1, 0))
	return e
}

func v1Span(i int) object {
	s := object{"traceId": pick("0000000000000007", "0000000000000007000000000000000F"), "id": fmt.Sprintf("%016x", i+1), "timestamp": 1700000000000000 + i}
	maybe(s, "name", pick("get /", "GET"))
	maybe(s, "parentId", pick("00000000000000ff", ""))
	maybe(s, "duration", 5)
	var notes, binaries []any
	for n := random.Intn(5); n > 0; n-- {
		note := object{"timestamp": pick(1700000000000000, 1700000000000009, -5, 0), "value": pick("cs", "cr", "ss", "sr", "ms", "mr", "hit", "")}
		maybe(note, "endpoint", v1Endpoint())
		notes = append(notes, note)
	}
	for n := random.Intn(6); n > 0; n-- {
		binary := object{"key": pick(v1Keys...), "value": pick(v1Values...)}
		maybe(binary, "endpoint", v1Endpoint())
		binaries = append(binaries, binary)
	}
	if len(notes) > 0 && one(3) {
		delete(s, "timestamp")
		notes = append(notes, object{"timestamp": 1700000000000003, "value": "hit"})
		for _, n := range notes { // a start, so that it is not the time of day
			if n.(object)["timestamp"].(int) <= 0 {
				n.(object)["timestamp"] = 1700000000000004
			}
		}
	}
	maybe(s, "annotations", append(notes, nil))
	if _, ok := s["annotations"]; !ok {
		s["timestamp"] = 1700000000000000
	}
	maybe(s, "binaryAnnotations", binaries)
	return s
}

func v1Host() *zipkincore.Endpoint {
	if one(3) {
		return nil
	}
	e := &zipkincore.Endpoint{Ipv4: int32(pick(0, 0x0a010203, -0x3f57fffe)), Port: int16(pick(0, 80, -1)), ServiceName: pick("shop", "cart", "", "unknown-service")}
	if one(3) {
		e.Ipv6 = []byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	}
	if one(9) {
		e.Ipv6 = []byte{1, 2, 3}
	}
	return e
}

func v1Thrift(i int) *zipkincore.Span {
	s := &zipkincore.Span{TraceID: int64(pick(0, 7)), Name: pick("get /", ""), ID: int64(i + 1), Debug: one(2)}
	number := func(v int64) *int64 { return &v }
	if one(2) {
		s.ParentID = number(3)
	}
	if one(2) {
		s.TraceIDHigh = number(-2)
	}
	if one(2) {
		s.Timestamp = number(int64(pick(1700000000000000, 0, -3)))
	}
	if one(2) {
		s.Duration = number(77)
	}
	for n := random.Intn(5); n > 0; n-- {
		s.Annotations = append(s.Annotations, &zipkincore.Annotation{Timestamp: int64(pick(1700000000000000, 1700000000000009, -5)),
			Value: pick("cs", "cr", "ss", "sr", "ms", "mr", "hit", ""), Host: v1Host()})
	}
	for n := random.Intn(6); n > 0; n-- {
		s.BinaryAnnotations = append(s.BinaryAnnotations, &zipkincore.BinaryAnnotation{Key: pick(v1Keys...), AnnotationType: zipkincore.AnnotationType(random.Intn(8)),
			Value: pick([]byte{1}, []byte{0}, []byte{0xff, 0xfe}, []byte{0xff, 0xff, 0xff, 0xfe}, []byte{0x3f, 0xf8, 0, 0, 0, 0, 0, 0}, []byte("text"), []byte("404"), []byte{}), Host: v1Host()})
	}
	return s
}

func zipkinV1(dir string) {
	for n := 0; n < 4; n++ {
		var spans []object
		for i := 0; i < 20; i++ {
			spans = append(spans, v1Span(i))
		}
		name := fmt.Sprintf("%s/zipkin_v1_%d", dir, n)
		suffix := []string{"zipkin_v1", "zipkin_v1_parsed"}[n%2]
		b := write(name+"."+suffix, spans)
		unmarshal(name, zipkinv1.NewJSONTracesUnmarshaler(n%2 == 1), b)

		ctx := context.Background()
		name = fmt.Sprintf("%s/zipkin_thrift_%d", dir, n)
		serialize(name+".zipkin_thrift", binary, func(p thrift.TProtocol) error {
			check(p.WriteListBegin(ctx, thrift.STRUCT, 20))
			for i := 0; i < 20; i++ {
				check(v1Thrift(i).Write(ctx, p))
			}
			return p.WriteListEnd(ctx)
		})
		b, err := os.ReadFile(name + ".zipkin_thrift")
		check(err)
		unmarshal(name, zipkinv1.NewThriftTracesUnmarshaler(), b)
	}
}

// zipkinFrom writes what the Collector makes of an OTLP request in Zipkin's formats.
func zipkinFrom(dir, input string) {
	b, err := os.ReadFile(dir + "/" + input)
	check(err)
	t, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b)
	check(err)
	text, err := zipkinv2.NewJSONTracesMarshaler().MarshalTraces(t)
	check(err)
	check(os.WriteFile(dir+"/"+input+".zipkin_json", text, 0o644))
	p, err := zipkinv2.NewProtobufTracesMarshaler().MarshalTraces(t)
	check(err)
	check(os.WriteFile(dir+"/"+input+".zipkin_pb", p, 0o644))
}
