// Package statuspage serves a live page with what one node of a cluster knows, for an operator: members, links,
// messages, backlogs, drops by reason, suspicions and their history, keys by fingerprint, and warnings.
//
//	http.Handle("/gwyh/", http.StripPrefix("/gwyh", statuspage.Handler(list)))
//
// The path must end in a slash. The page loads nothing from other sites. Without JavaScript its tables work and
// reload every 5 s. With JavaScript it is updated with server-sent events, up to ten times a second.
//
// The page changes nothing and shows no key. It does show names, addresses and metadata sizes of all members without
// a password: serve it on a loopback address, or behind your own authentication.
//
// Reading order: statuspage.go has the routes, view.go makes tables of a status.Status, messages.go of events, hub.go
// sends the changes to the browsers, format.go formats numbers for people.
package statuspage

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"io/fs"
	"net/http"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/status"
)

// A Source is a node that a page shows. *gwyh.Memberlist is one.
type Source interface {
	// Status returns the current state of the node, or the zero Status after the node was shut down.
	Status() status.Status
	// Stats returns the counters of the node.
	Stats() gwyh.Stats
	// Watch sends events to ch until ctx is done. It never blocks on ch.
	Watch(ctx context.Context, ch chan<- status.Event) error
}

var _ Source = (*gwyh.Memberlist)(nil)

//go:embed assets
var assets embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{"class": class}).ParseFS(assets, "assets/page.html"))

// class returns s if it can be a CSS class of the page, otherwise "".
func class(s string) string {
	for _, r := range s {
		if (r < 'a' || r > 'z') && r != '-' {
			return ""
		}
	}
	return s
}

// Handler returns the page of a node. It serves GET and HEAD of these paths: "/" is the page, "/events" is the stream
// of server-sent events, and "/assets/" has the files of the page. It uses the node only while a browser shows the
// page.
func Handler(source Source) http.Handler {
	h := &hub{source: source, clients: make(map[*client]struct{})}
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // the directory is embedded above
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { servePage(w, source) })
	mux.HandleFunc("GET /events", h.serve)
	mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(files)))
	return secure(mux)
}

// secure sets headers that keep a browser from loading anything from other sites and from framing the page.
func secure(next http.Handler) http.Handler {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

func servePage(w http.ResponseWriter, source Source) {
	s := source.Status()
	var b bytes.Buffer
	if err := page.Execute(&b, viewOf(&s, source.Stats(), nil)); err != nil {
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}
