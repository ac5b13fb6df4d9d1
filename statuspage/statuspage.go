// Package statuspage serves a page on which an operator sees what one node of a cluster knows, live: members, links,
// messages as they arrive, backlogs, drops by reason, suspicions and their history, keys by fingerprint, and warnings.
//
//	http.Handle("/gwyh/", http.StripPrefix("/gwyh", statuspage.Handler(list)))
//
// The path has to end in a slash. The page loads nothing from elsewhere. Its tables work without JavaScript, and then reload
// every 5 s. With JavaScript it is updated over server-sent events, up to ten times a second.
//
// The page changes nothing and shows no key. It does show names, addresses and metadata sizes of all members, and asks for no
// password: serve it on a loopback address, or behind your own authentication.
//
// To read it: statuspage.go has the routes, view.go makes tables of a status.Status, messages.go of events, hub.go finds
// what has changed and sends it to the browsers, format.go writes numbers for people.
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

// A Source is a node that a page shows. A *gwyh.Memberlist is one.
type Source interface {
	// Status returns what the node knows now; the zero Status after it was shut down.
	Status() status.Status
	// Stats returns what the node has counted.
	Stats() gwyh.Stats
	// Watch sends events to ch until ctx is done, without ever waiting for it.
	Watch(ctx context.Context, ch chan<- status.Event) error
}

var _ Source = (*gwyh.Memberlist)(nil)

//go:embed assets
var assets embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{"class": class}).ParseFS(assets, "assets/page.html"))

// class keeps only what may be the name of a CSS class of the page.
func class(s string) string {
	for _, r := range s {
		if (r < 'a' || r > 'z') && r != '-' {
			return ""
		}
	}
	return s
}

// Handler returns the page of a node. It serves GET and HEAD of these paths: "/" is the page, "/events" are server-sent events,
// and "/assets/" is what the page loads. While nobody looks at the page, it takes nothing from
// the node.
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

// secure sets the headers that keep a browser from loading anything from elsewhere, or into a page of others.
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
