// Package list prints which tests there are, as JSON: for each profile each test with the extended features it needs.
package list

import (
	"encoding/json"
	"os"
	"testing"

	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
)

type listed struct {
	Name string `json:"name"`
	// Empty for a core test.
	Features []string `json:"features"`
}

func TestList(t *testing.T) {
	profiles := map[string][]listed{}
	for _, profile := range []suite.ConformanceProfile{suite.GatewayHTTPConformanceProfile, suite.GatewayGRPCConformanceProfile} {
		all := []listed{}
	next:
		for _, test := range tests.ConformanceTests {
			extended := []string{}
			for _, feature := range test.Features {
				if profile.CoreFeatures.Has(feature) {
					continue
				}
				if !profile.ExtendedFeatures.Has(feature) {
					continue next
				}
				extended = append(extended, string(feature))
			}
			all = append(all, listed{test.ShortName, extended})
		}
		profiles[string(profile.Name)] = all
	}
	file := os.Getenv("LIST")
	text, err := json.MarshalIndent(profiles, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
