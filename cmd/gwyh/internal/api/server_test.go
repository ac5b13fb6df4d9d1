package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// fake is an agent that records its calls. Every field of its results is set.
type fake struct {
	asked  []string
	err    error // result of every method that can fail
	events chan Event
}

func (f *fake) note(format string, args ...any) {
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
}

var ann = Member{Name: "ann", ID: "0a0b0c0d-0000-8000-8000-000000000001", Addr: "10.0.0.1:6969", State: "alive", Zone: "z", RTT: 1.5, Meta: []byte{1, 2}, Self: true}

func (f *fake) Self() Self {
	return Self{Member: ann, Version: "v1", Started: time.Unix(1, 0), Health: 1, Label: "l", Stats: Stats{Members: 1}, Handlers: Handlers{Run: 1}}
}
func (f *fake) Members() []Member { return []Member{ann} }
func (f *fake) Propagation() Propagation {
	return Propagation{Zones: []ZonePropagation{{Zone: "z1", Count: 3, Median: 2.5, P95: 7, Max: 9, Margin: 1, Heard: time.Unix(1_700_000_000, 0)}},
		Origins: []Origin{{Name: "bob", Zone: "z1", Heard: time.Unix(1_700_000_000, 0), Took: 7, Overdue: true}}}
}

func (f *fake) Links() []Link {
	return []Link{{Name: "bob", Addr: "10.0.0.2:6969", Zone: "z", RTT: 1, Loss: 0.5}}
}
func (f *fake) Warnings() []Warning {
	return []Warning{{Code: "clock", Text: "t", Node: "bob", Since: time.Unix(1, 0)}, {Code: "weak-key", Text: "t"}}
}
func (f *fake) Log() []LogLine { return nil }
func (f *fake) Keys() []Key    { return []Key{{Fingerprint: "abc", Primary: true}} }
func (f *fake) Broadcast(name string, payload []byte) error {
	f.note("broadcast %s %s", name, payload)
	return f.err
}
func (f *fake) Join(_ context.Context, addresses []string) (int, error) {
	f.note("join %q", addresses)
	return len(addresses), f.err
}
func (f *fake) Ping(_ context.Context, name, addr string) (time.Duration, error) {
	f.note("ping %s %s", name, addr)
	return 1500 * time.Microsecond, f.err
}
func (f *fake) SetMeta(meta []byte) error { f.note("meta %s", meta); return f.err }
func (f *fake) AddKey(key []byte) error   { f.note("add %s", key); return f.err }
func (f *fake) UseKey(k KeyRequest) error { f.note("use %s%s", k.Key, k.Fingerprint); return f.err }
func (f *fake) RemoveKey(k KeyRequest) error {
	f.note("remove %s%s", k.Key, k.Fingerprint)
	return f.err
}
func (f *fake) Leave()                             { f.note("leave") }
func (f *fake) Watch(context.Context) <-chan Event { return f.events }

// described returns the OpenAPI description and a router for it.
func described(t *testing.T) (*openapi3.T, routers.Router) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(Description())
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil // any host
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return doc, router
}

// exchange sends a request to the handler, and validates the request and the answer against the description.
func exchange(t *testing.T, h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	_, router := described(t)
	r := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	route, parameters, err := router.FindRoute(r)
	if err != nil {
		t.Fatalf("%s %s is not described: %v", method, path, err)
	}
	input := &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
	badRequest := openapi3filter.ValidateRequest(t.Context(), input)
	r.Body = io.NopCloser(strings.NewReader(body))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if badRequest != nil && w.Code/100 == 2 {
		t.Errorf("%s %s %s is taken, but not as described: %v", method, path, body, badRequest)
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{RequestValidationInput: input,
		Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())), Options: &openapi3filter.Options{IncludeResponseStatus: true}})
	if err != nil {
		t.Errorf("%s %s: the answer is not as described: %v\n%s", method, path, err, w.Body)
	}
	return w
}

func TestDescriptionIsValidOpenAPI(t *testing.T) {
	doc, _ := described(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnswersAreAsDescribed(t *testing.T) {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "up 1\n")
	})
	h := Handler(&fake{}, Config{Metrics: metrics})
	for _, path := range []string{"/healthz", "/metrics", "/v1/self", "/v1/members", "/v1/links", "/v1/propagation", "/v1/warnings", "/v1/log", "/v1/keys"} {
		if w := exchange(t, h, "GET", path, ""); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestRequestsReachTheAgent(t *testing.T) {
	for _, x := range []struct{ path, body, asked, answer string }{
		{"/v1/broadcast", `{"name": "deploy", "payload": "aGVsbG8="}`, "broadcast deploy hello", "{}"},
		{"/v1/broadcast", `{"name": "deploy", "text": "hello"}`, "broadcast deploy hello", "{}"},
		{"/v1/join", `{"addresses": ["a:1", "b:2"]}`, `join ["a:1" "b:2"]`, `{"reached":2}`},
		{"/v1/ping", `{"name": "bob"}`, "ping bob ", `{"rtt_ms":1.5}`},
		{"/v1/meta", `{"text": "x"}`, "meta x", "{}"},
		{"/v1/keys/add", `{"key": "a2V5"}`, "add key", "{}"},
		{"/v1/keys/use", `{"fingerprint": "abc"}`, "use abc", "{}"},
		{"/v1/keys/remove", `{"key": "a2V5"}`, "remove key", "{}"},
		{"/v1/leave", "", "leave", "{}"},
	} {
		f := &fake{}
		w := exchange(t, Handler(f, Config{}), "POST", x.path, x.body)
		if w.Code/100 != 2 || !slices.Equal(f.asked, []string{x.asked}) || strings.TrimSpace(w.Body.String()) != x.answer {
			t.Errorf("%s %s: %d %s, asked %q", x.path, x.body, w.Code, w.Body, f.asked)
		}
	}
}

func TestBadRequestsAreRefusedAndDoNotReachTheAgent(t *testing.T) {
	for path, bodies := range map[string][]string{
		"/v1/broadcast": {"", "x", `{"name": 1}`, `{"name": "n", "other": 1}`, `{"name": "n", "payload": "!"}`, `{"name": "n", "payload": "aA==", "text": "h"}`},
		"/v1/join":      {`{}`, `{"addresses": []}`},
		"/v1/ping":      {`{}`},
		"/v1/meta":      {`{"meta": "aA==", "text": "h"}`},
		"/v1/keys/add":  {`{}`, `{"fingerprint": "abc"}`},
		"/v1/keys/use":  {`{}`, `{"key": "aA==", "fingerprint": "abc"}`},
	} {
		for _, body := range bodies {
			f := &fake{}
			if w := exchange(t, Handler(f, Config{}), "POST", path, body); w.Code != http.StatusBadRequest || len(f.asked) > 0 {
				t.Errorf("%s %s: %d %s, asked %q", path, body, w.Code, w.Body, f.asked)
			}
		}
	}
}

func TestFailuresOfTheAgentAreProblems(t *testing.T) {
	for _, x := range []struct {
		err    error
		status int
	}{{errors.New("no answer"), http.StatusInternalServerError}, {&RequestError{errors.New("no such key")}, http.StatusBadRequest}} {
		w := exchange(t, Handler(&fake{err: x.err}, Config{}), "POST", "/v1/keys/use", `{"fingerprint": "abc"}`)
		if w.Code != x.status || !strings.Contains(w.Body.String(), x.err.Error()) {
			t.Errorf("%v: %d %s", x.err, w.Code, w.Body)
		}
	}
}

func TestBodyBeyondTheBoundIsRefused(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "http://127.0.0.1/v1/broadcast", io.MultiReader(strings.NewReader(`{"name": "n", "text": "`), endless{}))
	Handler(&fake{}, Config{}).ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return copy(b, bytes.Repeat([]byte("x"), len(b))), nil }

func TestEveryRouteIsDescribedAndEveryDescribedPathIsServed(t *testing.T) {
	doc, _ := described(t)
	events := make(chan Event)
	close(events)
	h := Handler(&fake{events: events}, Config{Metrics: http.NotFoundHandler()})
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path, nil))
			if strings.Contains(w.Body.String(), "there is no") || w.Code == http.StatusMethodNotAllowed {
				t.Errorf("%s %s is described and not served", method, path)
			}
		}
	}
	for _, route := range routes(t) {
		method, path, _ := strings.Cut(route, " ")
		if item := doc.Paths.Find(path); item == nil || item.GetOperation(method) == nil {
			t.Errorf("%s is served and not described", route)
		}
	}
}

// routes returns the routes that the source registers.
func routes(t *testing.T) (all []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?:HandleFunc|Handle)\("(GET|POST) (/[^"]*)"|\b(get|post)\((?:mux, )?"(/[^"]*)"`).FindAllStringSubmatch(source, -1) {
		all = append(all, strings.ToUpper(m[1]+m[3])+" "+m[2]+m[4])
	}
	if len(all) < 15 {
		t.Fatalf("%d routes found", len(all))
	}
	return all
}

// The schemas and the Go types must have the same fields, so that a Go client can use all of them.
func TestSchemasHaveTheFieldsOfTheTypes(t *testing.T) {
	doc, _ := described(t)
	seen := map[string]bool{"EventType": true}
	for _, v := range []any{Member{}, Link{}, Propagation{}, ZonePropagation{}, Origin{}, Self{}, Stats{}, Handlers{}, Event{}, Message{}, Warning{}, LogLine{}, Key{}, KeyRequest{}, BroadcastRequest{},
		JoinRequest{}, JoinResponse{}, PingRequest{}, PingResponse{}, MetaRequest{}, Problem{}} {
		typ := reflect.TypeOf(v)
		seen[typ.Name()] = true
		schema := doc.Components.Schemas[typ.Name()]
		if schema == nil {
			t.Errorf("no schema %s", typ.Name())
			continue
		}
		var fields []string
		for i := range typ.NumField() {
			name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			fields = append(fields, name)
			if required := slices.Contains(schema.Value.Required, name); required && strings.HasPrefix(options, "omit") {
				t.Errorf("%s.%s is required and may be left out", typ.Name(), name)
			}
		}
		for name := range schema.Value.Properties {
			if !slices.Contains(fields, name) {
				t.Errorf("schema %s has %s, which the type lacks", typ.Name(), name)
			}
		}
		for _, name := range fields {
			if schema.Value.Properties[name] == nil {
				t.Errorf("schema %s lacks %s", typ.Name(), name)
			}
		}
	}
	for name := range doc.Components.Schemas {
		if !seen[name] {
			t.Errorf("schema %s has no type", name)
		}
	}
}

func TestEventsAreSentAsTheyHappen(t *testing.T) {
	doc, _ := described(t)
	events := make(chan Event, 3)
	server := httptest.NewServer(Handler(&fake{events: events}, Config{}))
	defer server.Close()
	r, err := http.Get(server.URL + "/v1/events?type=message&type=member-join")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if got := r.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %q", got)
	}
	events <- Event{ID: 7, Time: time.Unix(1, 0), Type: MemberLeave, Member: &ann}
	events <- Event{ID: 8, Time: time.Unix(1, 0), Type: MemberJoin, Member: &ann}
	events <- Event{ID: 9, Time: time.Unix(1, 0), Type: MessageEvent, Message: &Message{Name: "n", Payload: []byte("p\n")}, Missed: 2}
	close(events)
	var lines []string
	for s := bufio.NewScanner(r.Body); s.Scan(); {
		if !strings.HasPrefix(s.Text(), ":") && s.Text() != "" {
			lines = append(lines, s.Text())
		}
	}
	if len(lines) != 6 {
		t.Fatalf("%d lines, want 6: %q", len(lines), lines)
	}
	if want := []string{"id: 8", "event: member-join"}; !slices.Equal(lines[:2], want) {
		t.Fatalf("the first event is %q, want %q", lines[:2], want)
	}
	if want := []string{"id: 9", "event: message"}; !slices.Equal(lines[3:5], want) {
		t.Fatalf("the second event is %q, want %q", lines[3:5], want)
	}
	for _, line := range []string{lines[2], lines[5]} {
		var v any
		if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &v); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if err := doc.Components.Schemas["Event"].Value.VisitJSON(v); err != nil {
			t.Errorf("%q is no Event: %v", line, err)
		}
	}
}

func TestUnknownTypeOfEventIsRefused(t *testing.T) {
	server := httptest.NewServer(Handler(&fake{events: make(chan Event)}, Config{}))
	defer server.Close()
	r, err := http.Get(server.URL + "/v1/events?type=message&type=mesage")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "mesage") {
		t.Errorf("status %s: %s", r.Status, text)
	}
}

func TestTokenIsWanted(t *testing.T) {
	h := Handler(&fake{}, Config{Token: "secret"})
	for name, x := range map[string]struct {
		set  func(*http.Request)
		want int
	}{
		"none":           {func(*http.Request) {}, http.StatusUnauthorized},
		"wrong bearer":   {func(r *http.Request) { r.Header.Set("Authorization", "Bearer secre") }, http.StatusUnauthorized},
		"empty bearer":   {func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, http.StatusUnauthorized},
		"bearer":         {func(r *http.Request) { r.Header.Set("Authorization", "Bearer secret") }, http.StatusOK},
		"password":       {func(r *http.Request) { r.SetBasicAuth("anybody", "secret") }, http.StatusOK},
		"wrong password": {func(r *http.Request) { r.SetBasicAuth("secret", "") }, http.StatusUnauthorized},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://agent.example/v1/members", nil)
		x.set(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != x.want {
			t.Errorf("%s: %d, want %d", name, w.Code, x.want)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "http://agent.example/healthz", nil))
	if w.Code != http.StatusOK {
		t.Errorf("healthz without a token: %d", w.Code)
	}
}

// If a DNS name of an attacker points at 127.0.0.1, the attacker's page can read the answers; any page can post.
func TestPagesOfOthersGetNothing(t *testing.T) {
	h := Handler(&fake{}, Config{Page: http.NotFoundHandler()})
	for host, want := range map[string]int{"127.0.0.1:6970": 200, "localhost:6970": 200, "[::1]:6970": 200, "localhost": 200, "evil.example:6970": 403, "10.0.0.1": 403} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://x/v1/members", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", host, w.Code, want)
		}
	}
	for name, header := range map[string][2]string{"by Fetch metadata": {"Sec-Fetch-Site", "cross-site"}, "by Origin": {"Origin", "http://evil.example"}} {
		f := &fake{}
		r := httptest.NewRequestWithContext(t.Context(), "POST", "http://127.0.0.1:6970/v1/leave", nil)
		r.Header.Set(header[0], header[1])
		w := httptest.NewRecorder()
		Handler(f, Config{}).ServeHTTP(w, r)
		if w.Code != http.StatusForbidden || len(f.asked) > 0 {
			t.Errorf("%s: %d, asked %q", name, w.Code, f.asked)
		}
	}
}

func TestLoopbackIsDistinguishedFromOtherAddresses(t *testing.T) {
	for address, want := range map[string]bool{"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1": true, "[::ffff:127.0.0.1]:1": true,
		":1": false, "0.0.0.0:1": false, "10.0.0.1:1": false, "[::]:1": false, "nonsense": false} {
		if got := IsLoopback(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}
