package agent

import "net/http"

func (a *Agent) page() http.Handler { return nil }

func (a *Agent) metrics() http.Handler { return nil }
