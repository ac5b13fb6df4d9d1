package api

import _ "embed"

//go:embed server.go
var source string
