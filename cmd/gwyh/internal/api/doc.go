// Package api is the HTTP API of an agent: its types, its server, and the OpenAPI description (openapi.yaml) that a
// test holds both to. The server knows the agent only as a [Backend].
package api
