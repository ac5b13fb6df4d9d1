package api

import (
	"context"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Backend is the agent as the server uses it. Its methods are safe for concurrent use.
type Backend interface {
	Self() Self
	Members() []Member
	Links() []Link
	Propagation() Propagation
	Warnings() []Warning
	Log() []LogLine
	Keys() []Key

	Broadcast(name string, payload []byte) error
	Join(ctx context.Context, addresses []string) (reached int, err error)
	Ping(ctx context.Context, name, addr string) (time.Duration, error)
	SetMeta(meta []byte) error
	AddKey(key []byte) error
	UseKey(k KeyRequest) error
	RemoveKey(k KeyRequest) error
	// Leave makes the agent leave the cluster and end. It returns immediately.
	Leave()

	// Watch returns a channel that receives events until ctx is done and is then closed. Events for which the reader
	// is too slow are dropped and counted in Event.Missed.
	Watch(ctx context.Context) <-chan Event
}

// A RequestError is a fault of the request: the status is 400 instead of 500.
type RequestError struct{ Err error }

func (e *RequestError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RequestError) Unwrap() error { return e.Err }

// A Config configures a server.
type Config struct {
	Token string // required of each request except GET /healthz; empty means that none is required
	// Page serves all paths outside of the API, such as a status page. Nil means none.
	Page http.Handler
	// Metrics serves GET /metrics. Nil means none.
	Metrics http.Handler
}

//go:embed openapi.yaml
var description []byte

// Description returns the OpenAPI description of the API, in YAML.
func Description() []byte { return description }

// requestMax bounds the bytes of a request: a payload of 16 MiB in base64 and its envelope.
const requestMax = 24 << 20

// keepAlive is the interval of comments in an event stream without events. They keep both ends from closing the
// connection.
const keepAlive = 15 * time.Second

// Handler returns the HTTP handler of the API. It rejects requests from pages of other origins. Without a token it
// also rejects requests to a host other than a loopback one, because a page can make its browser send such requests.
func Handler(b Backend, c Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /v1/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(description)
	})
	get := func(path string, answer func() any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, answer()) })
	}
	get("/v1/self", func() any { return b.Self() })
	get("/v1/members", func() any { return list(b.Members()) })
	get("/v1/links", func() any { return list(b.Links()) })
	get("/v1/propagation", func() any { p := b.Propagation(); return Propagation{list(p.Zones), list(p.Origins)} })
	get("/v1/warnings", func() any { return list(b.Warnings()) })
	get("/v1/log", func() any { return list(b.Log()) })
	get("/v1/keys", func() any { return list(b.Keys()) })
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) { stream(w, r, b) })

	post(mux, "/v1/broadcast", func(_ context.Context, q BroadcastRequest) (any, error) {
		payload, err := either(q.Payload, q.Text, "payload")
		if err != nil {
			return nil, err
		}
		return nil, b.Broadcast(q.Name, payload)
	})
	post(mux, "/v1/join", func(ctx context.Context, q JoinRequest) (any, error) {
		if len(q.Addresses) == 0 {
			return nil, bad("addresses is empty, want at least one")
		}
		n, err := b.Join(ctx, q.Addresses)
		return JoinResponse{n}, err
	})
	post(mux, "/v1/ping", func(ctx context.Context, q PingRequest) (any, error) {
		if q.Name == "" && q.Addr == "" {
			return nil, bad("name and addr are empty, want at least one")
		}
		rtt, err := b.Ping(ctx, q.Name, q.Addr)
		return PingResponse{Milliseconds(rtt)}, err
	})
	post(mux, "/v1/meta", func(_ context.Context, q MetaRequest) (any, error) {
		meta, err := either(q.Meta, q.Text, "meta")
		if err != nil {
			return nil, err
		}
		return nil, b.SetMeta(meta)
	})
	post(mux, "/v1/keys/add", func(_ context.Context, q KeyRequest) (any, error) {
		if len(q.Key) == 0 {
			return nil, bad("key is empty, want the key in base64")
		}
		return nil, b.AddKey(q.Key)
	})
	post(mux, "/v1/keys/use", func(_ context.Context, q KeyRequest) (any, error) { return nil, named(q, b.UseKey) })
	post(mux, "/v1/keys/remove", func(_ context.Context, q KeyRequest) (any, error) { return nil, named(q, b.RemoveKey) })
	mux.HandleFunc("POST /v1/leave", func(w http.ResponseWriter, _ *http.Request) {
		b.Leave()
		reply(w, http.StatusAccepted, struct{}{})
	})
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, fmt.Errorf("there is no %s %s; GET /v1/openapi.yaml lists what there is", r.Method, r.URL.Path))
	})
	if c.Metrics != nil {
		mux.Handle("GET /metrics", c.Metrics)
	}
	if c.Page != nil {
		mux.Handle("/", c.Page)
	}
	return guard(http.NewCrossOriginProtection().Handler(mux), c.Token)
}

// Milliseconds converts a duration to the unit of the API.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// post registers a handler of requests with a JSON body. A nil answer is sent as an empty object.
func post[Q any](mux *http.ServeMux, path string, f func(context.Context, Q) (any, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var q Q
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, requestMax))
		d.DisallowUnknownFields()
		if err := d.Decode(&q); err != nil {
			status := http.StatusBadRequest
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				status = http.StatusRequestEntityTooLarge
			}
			problem(w, status, fmt.Errorf("body: %w", err))
			return
		}
		answer, err := f(r.Context(), q)
		if _, ok := errors.AsType[*RequestError](err); ok {
			problem(w, http.StatusBadRequest, err)
			return
		}
		if err != nil {
			problem(w, http.StatusInternalServerError, err)
			return
		}
		if answer == nil {
			answer = struct{}{}
		}
		reply(w, http.StatusOK, answer)
	})
}

func bad(format string, args ...any) error { return &RequestError{fmt.Errorf(format, args...)} }

// either returns the value that a request gives either as base64 or as text.
func either(binary []byte, text, name string) ([]byte, error) {
	if len(binary) > 0 && text != "" {
		return nil, bad("%s and text are both set, want at most one", name)
	}
	if text != "" {
		return []byte(text), nil
	}
	return binary, nil
}

// named calls f if the request names exactly one key.
func named(q KeyRequest, f func(KeyRequest) error) error {
	if (len(q.Key) > 0) == (q.Fingerprint != "") {
		return bad("want either key or fingerprint")
	}
	return f(q)
}

// list replaces a nil list with an empty one, which is an empty array in JSON.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func problem(w http.ResponseWriter, status int, err error) { reply(w, status, Problem{err.Error()}) }

// stream sends events as server-sent events: the id is the event's id, the event its type, the data its JSON. The
// query parameter "type" selects types. An unknown type is an error, because no such event would ever arrive.
func stream(w http.ResponseWriter, r *http.Request, b Backend) {
	wanted := map[string]bool{}
	for _, t := range r.URL.Query()["type"] {
		if !slices.Contains(EventTypes, t) {
			problem(w, http.StatusBadRequest, fmt.Errorf("%q is not an event type; use one of %s", t, strings.Join(EventTypes, ", ")))
			return
		}
		wanted[t] = true
	}
	events := b.Watch(r.Context())
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	_, _ = io.WriteString(w, ": events follow\n\n")
	_ = control.Flush()
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		var text string
		select {
		case <-alive.C:
			text = ":\n\n"
		case e, ok := <-events:
			if !ok {
				return
			}
			if len(wanted) > 0 && !wanted[e.Type] {
				continue
			}
			data, _ := json.Marshal(e) // only strings, numbers and bytes: never fails
			text = "id: " + strconv.FormatUint(e.ID, 10) + "\nevent: " + e.Type + "\ndata: " + string(data) + "\n\n"
		}
		if _, err := io.WriteString(w, text); err != nil {
			return
		}
		if err := control.Flush(); err != nil {
			return
		}
	}
}

// guard rejects requests without the token. If there is no token, it rejects requests whose Host is not a loopback
// host, so that a page cannot reach the agent through a DNS name that points to 127.0.0.1.
func guard(next http.Handler, token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet && r.URL.Path == "/healthz":
		case token == "" && !loopback(r.Host):
			problem(w, http.StatusForbidden, fmt.Errorf("host %q is not a loopback address, and the agent has no token", r.Host))
			return
		case token != "" && !shows(r, token):
			w.Header().Set("WWW-Authenticate", `Basic realm="gwyh agent: any user name, and the token as the password"`)
			problem(w, http.StatusUnauthorized, errors.New("the token is missing or wrong: send it as a bearer token, or as the password of any user"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// shows reports whether a request has the token, as a bearer token or as the password of basic authentication.
func shows(r *http.Request, token string) bool {
	shown, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		_, shown, _ = r.BasicAuth()
	}
	return subtle.ConstantTimeCompare([]byte(shown), []byte(token)) == 1
}

// loopback reports whether a Host header names a loopback address of this machine.
func loopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// IsLoopback reports whether a listening address is reachable only from this machine.
func IsLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	return err == nil && loopback(host)
}
