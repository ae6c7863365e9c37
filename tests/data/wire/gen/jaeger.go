// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand"
	"os"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/gogo/protobuf/jsonpb"
	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"github.com/jaegertracing/jaeger-idl/thrift-gen/jaeger"
	jaegertranslator "github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/jaeger"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var random = rand.New(rand.NewSource(42))

func pick[T any](items ...T) T { return items[random.Intn(len(items))] }

func one(n int) bool { return random.Intn(n) == 0 }

// Keys that the translators treat specially, and some that they do not.
var keys = []string{
	"span.kind", "error", "otel.status_code", "otel.status_description", "http.status_code", "http.status_message",
	"w3c.tracestate", "otel.scope.name", "otel.scope.version", "event", "hostname", "host.name", "jaeger.version",
	"opencensus.exporterversion", "service.name", "plain", "plain", "other", "größe", "", "a", "b", "c", "d",
}

var texts = []string{
	"client", "server", "producer", "consumer", "internal", "Server", "OK", "ok", "ERROR", "Error", "404", "200", "399",
	"500", "x", "", "true", "a=b,c=d", "Go-2.30", "lib", "1.0", "ünï <&> \"\n\\", string(bytes.Repeat([]byte("long"), 60)),
}

var numbers = []int64{0, 1, -1, 200, 399, 404, 500, 99, math.MaxInt64, math.MinInt64, 127, 128, 1 << 40}

func traces(name string, t ptrace.Traces, err error) {
	check(err)
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(t)
	check(err)
	check(os.WriteFile(name+".otlp.json", text, 0o644))
}

func thriftTag() *jaeger.Tag {
	text, number, double, flag := pick(texts...), pick(numbers...), pick(0, 1.5, -2.25e300, 1e-7), one(2)
	tag := &jaeger.Tag{Key: pick(keys...), VType: jaeger.TagType(random.Intn(5))}
	if tag.Key == "error" && one(2) {
		tag.VType = jaeger.TagType_BOOL
	} else if one(2) {
		tag.VType = jaeger.TagType_STRING
	}
	if one(40) {
		tag.VType = 17
	}
	if one(30) { // the value of another type, or none
		tag.VType, tag.VStr = jaeger.TagType(random.Intn(5)), &text
		return tag
	}
	switch tag.VType {
	case jaeger.TagType_STRING:
		tag.VStr = &text
	case jaeger.TagType_DOUBLE:
		tag.VDouble = &double
	case jaeger.TagType_BOOL:
		tag.VBool = &flag
	case jaeger.TagType_LONG:
		tag.VLong = &number
	case jaeger.TagType_BINARY:
		tag.VBinary = []byte(text)
	}
	return tag
}

func thriftTags(max int) []*jaeger.Tag {
	var tags []*jaeger.Tag
	for i := random.Intn(max + 1); i > 0; i-- {
		tags = append(tags, thriftTag())
	}
	return tags
}

func thriftSpan(i int) *jaeger.Span {
	span := &jaeger.Span{
		TraceIdLow: int64(pick(1, 2)), TraceIdHigh: int64(pick(0, 7)), SpanId: int64(i + 1), ParentSpanId: int64(pick(0, 0, 1, 3)),
		OperationName: pick("op", "", "GET /"), Flags: int32(pick(0, 1, 3)), StartTime: 1700000000000000 + int64(i),
		Duration: int64(pick(0, 1, 1000, -5)), Tags: thriftTags(pick(5, 5, 12, 60)),
	}
	for n := random.Intn(4); n > 0; n-- {
		span.References = append(span.References, &jaeger.SpanRef{
			RefType: jaeger.SpanRefType(pick(0, 1)), TraceIdLow: int64(pick(1, 2)), TraceIdHigh: int64(pick(0, 7)), SpanId: int64(pick(1, 3, 9)),
		})
	}
	for n := random.Intn(4); n > 0; n-- {
		span.Logs = append(span.Logs, &jaeger.Log{Timestamp: 1700000000000000 + int64(n), Fields: thriftTags(4)})
		if span.Logs[0].Fields == nil {
			span.Logs[0].Fields = []*jaeger.Tag{}
		}
	}
	return span
}

func serialize(name string, protocol thrift.TProtocolFactory, write func(thrift.TProtocol) error) {
	buffer := thrift.NewTMemoryBuffer()
	p := protocol.GetProtocol(buffer)
	check(write(p))
	check(p.Flush(context.Background()))
	check(os.WriteFile(name, buffer.Bytes(), 0o644))
}

var (
	binary    = thrift.NewTBinaryProtocolFactoryConf(nil)
	oldBinary = thrift.NewTBinaryProtocolFactoryConf(&thrift.TConfiguration{TBinaryStrictWrite: thrift.BoolPtr(false)})
	compact   = thrift.NewTCompactProtocolFactoryConf(nil)
)

func jaegerThrift(dir string) {
	ctx := context.Background()
	for n := 0; n < 4; n++ {
		batch := &jaeger.Batch{Process: &jaeger.Process{ServiceName: pick("shop", "shop", ""), Tags: thriftTags(8)}, Spans: []*jaeger.Span{}}
		for i := 0; i < 16; i++ {
			batch.Spans = append(batch.Spans, thriftSpan(i))
		}
		if n == 0 {
			sequence := int64(5)
			batch.SeqNo, batch.Stats = &sequence, &jaeger.ClientStats{FullQueueDroppedSpans: 1}
			batch.Spans = append(batch.Spans, &jaeger.Span{})
		}
		name := fmt.Sprintf("%s/jaeger_thrift_%d", dir, n)
		message := func(p thrift.TProtocol) error {
			check(p.WriteMessageBegin(ctx, "emitBatch", thrift.ONEWAY, 300))
			check(p.WriteStructBegin(ctx, "args"))
			check(p.WriteFieldBegin(ctx, "batch", thrift.STRUCT, 1))
			check(batch.Write(ctx, p))
			check(p.WriteFieldEnd(ctx))
			check(p.WriteFieldStop(ctx))
			return p.WriteMessageEnd(ctx)
		}
		serialize(name+".binary", binary, func(p thrift.TProtocol) error { return batch.Write(ctx, p) })
		serialize(name+".compact", compact, func(p thrift.TProtocol) error { return batch.Write(ctx, p) })
		serialize(name+".packet_compact", compact, message)
		serialize(name+".packet_binary", pick(binary, oldBinary), message)
		t, err := jaegertranslator.ThriftToTraces(batch)
		traces(name, t, err)
	}
}

func protoTag() model.KeyValue {
	tag := model.KeyValue{Key: pick(keys...), VType: model.ValueType(random.Intn(5)), VStr: pick(texts...), VBool: one(2),
		VInt64: pick(numbers...), VFloat64: pick(0, 1.5, -2.25e300), VBinary: []byte(pick(texts...))}
	if tag.Key == "error" && one(2) {
		tag.VType = model.ValueType_BOOL
	} else if one(2) {
		tag.VType = model.ValueType_STRING
	}
	if one(40) {
		tag.VType = 17
	}
	return tag
}

func protoTags(max int) []model.KeyValue {
	var tags []model.KeyValue
	for i := random.Intn(max + 1); i > 0; i-- {
		tags = append(tags, protoTag())
	}
	return tags
}

func protoProcess() *model.Process {
	return &model.Process{ServiceName: pick("shop", "cart", "", "OTLPResourceNoServiceName"), Tags: protoTags(6)}
}

func protoSpan(i int) *model.Span {
	span := &model.Span{
		TraceID: model.TraceID{Low: uint64(pick(1, 2)), High: uint64(pick(0, 7))}, SpanID: model.SpanID(i + 1), OperationName: pick("op", "", "GET /"),
		Flags: model.Flags(pick(0, 1, 3)), StartTime: time.Unix(1700000000, int64(i)*1001).UTC(),
		Duration: time.Duration(pick(0, 1, 1000, 2500000000, -5, 1500000)), Tags: protoTags(pick(5, 5, 12, 60)), ProcessID: pick("", "p1"),
	}
	if one(9) {
		span.StartTime = time.Time{}
	}
	for n := random.Intn(4); n > 0; n-- {
		span.References = append(span.References, model.SpanRef{
			RefType: model.SpanRefType(pick(0, 1)), TraceID: model.TraceID{Low: uint64(pick(1, 2)), High: uint64(pick(0, 7))}, SpanID: model.SpanID(pick(1, 3, 9)),
		})
	}
	for n := random.Intn(4); n > 0; n-- {
		span.Logs = append(span.Logs, model.Log{Timestamp: time.Unix(1700000000, int64(n)*1000000).UTC(), Fields: protoTags(4)})
	}
	return span
}

func jaegerProto(dir string) {
	for n := 0; n < 4; n++ {
		post := &api_v2.PostSpansRequest{Batch: model.Batch{Process: protoProcess()}}
		for i := 0; i < 16; i++ {
			span := protoSpan(i)
			if n > 1 && one(3) {
				span.Process = protoProcess()
			}
			post.Batch.Spans = append(post.Batch.Spans, span)
		}
		if n == 0 {
			post.Batch.Spans = append(post.Batch.Spans, &model.Span{})
		}
		name := fmt.Sprintf("%s/jaeger_proto_%d", dir, n)
		b, err := post.Marshal()
		check(err)
		check(os.WriteFile(name+".post", b, 0o644))
		post = &api_v2.PostSpansRequest{}
		check(post.Unmarshal(b))
		t, err := jaegertranslator.ProtoToTraces([]*model.Batch{&post.Batch})
		traces(name, t, err)
	}
	for n := 0; n < 8; n++ {
		span := protoSpan(n)
		span.Process = protoProcess()
		for i := range span.Tags {
			if span.Tags[i].VType > 4 {
				span.Tags[i].VType = 0
			}
		}
		name := fmt.Sprintf("%s/jaeger_span_%d", dir, n)
		text, err := (&jsonpb.Marshaler{}).MarshalToString(span)
		check(err)
		check(os.WriteFile(name+".jaeger_json", []byte(text), 0o644))
		b, err := span.Marshal()
		check(err)
		check(os.WriteFile(name+".jaeger_proto", b, 0o644))
		t, err := jaegertranslator.ProtoToTraces([]*model.Batch{{Spans: []*model.Span{span}, Process: span.Process}})
		traces(name, t, err)
	}
}

// fromOtlp writes what the Collector makes of a request in Jaeger's formats: a list of spans with their process, as JSON
// and as protobuf (each with its length in four bytes before it).
func fromOtlp(dir, input string) {
	b, err := os.ReadFile(dir + "/" + input)
	check(err)
	t, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b)
	check(err)
	var protos []byte
	text := "["
	for _, batch := range jaegertranslator.ProtoFromTraces(t) {
		for _, span := range batch.Spans {
			span.Process = batch.Process
			b, err := span.Marshal()
			check(err)
			protos = append(protos, byte(len(b)>>24), byte(len(b)>>16), byte(len(b)>>8), byte(len(b)))
			protos = append(protos, b...)
			json, err := (&jsonpb.Marshaler{}).MarshalToString(span)
			check(err)
			if text != "[" {
				text += ","
			}
			text += json
		}
	}
	check(os.WriteFile(dir+"/"+input+".jaeger_proto", protos, 0o644))
	check(os.WriteFile(dir+"/"+input+".jaeger_json", []byte(text+"]"), 0o644))
}
