module github.com/gwyh-go/gwyh/discover

go 1.26.0

replace github.com/gwyh-go/gwyh => ../

require (
	github.com/gwyh-go/gwyh v0.1.0
	golang.org/x/net v0.62.0
)

require (
	github.com/armon/go-metrics v0.4.1 // indirect
	github.com/hashicorp/go-immutable-radix v1.3.1 // indirect
	github.com/hashicorp/go-metrics v0.6.0 // indirect
	github.com/hashicorp/go-msgpack/v2 v2.1.5 // indirect
	github.com/hashicorp/go-sockaddr v1.0.7 // indirect
	github.com/hashicorp/golang-lru v0.5.0 // indirect
	github.com/hashicorp/golang-lru/v2 v2.0.7 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
