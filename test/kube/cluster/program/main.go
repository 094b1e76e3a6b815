// The cluster that the Kubernetes tests run against, as one program with four faces: etcd, kube-apiserver, CoreDNS,
// and those controllers of kube-controller-manager that turn pods and Services into EndpointSlices keep
// ReplicaSets, and clean up after them. There is no kubelet and no scheduler: the tests say through the API on which
// node a pod is and how it fares.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
	"go.etcd.io/etcd/server/v3/etcdmain"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/cli"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/pkg/controller/endpoint"
	"k8s.io/kubernetes/pkg/controller/endpointslice"
	"k8s.io/kubernetes/pkg/controller/endpointslicemirroring"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/replicaset"
	"k8s.io/kubernetes/pkg/controller/serviceaccount"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: kube-cluster etcd|apiserver|controllers|coredns FLAGS")
		os.Exit(2)
	}
	switch os.Args[1] {
	case "etcd":
		etcdmain.Main(append([]string{"etcd"}, os.Args[2:]...))
	case "apiserver":
		cmd := apiserver.NewAPIServerCommand()
		os.Args = append([]string{"kube-apiserver"}, os.Args[2:]...)
		os.Exit(cli.Run(cmd))
	case "coredns":
		os.Args = append([]string{"coredns"}, os.Args[2:]...)
		coremain.Run()
	case "controllers":
		os.Exit(controllers(os.Args[2:]))
	default:
		fmt.Fprintln(os.Stderr, "unknown:", os.Args[1])
		os.Exit(2)
	}
}

func controllers(args []string) int {
	fs := flag.NewFlagSet("controllers", flag.ExitOnError)
	kc := fs.String("kubeconfig", "", "")
	klog.InitFlags(fs)
	batch := fs.Duration("endpoint-updates-batch-period", 0, "")
	healthz := fs.String("healthz", "", "loopback address for /healthz")
	_ = fs.Parse(args)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	cfg, err := clientcmd.BuildConfigFromFlags("", *kc)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cfg.QPS, cfg.Burst = 200, 400
	cfg.WarningHandler = rest.NoWarnings{}
	// Each controller has its own name at the API server, as in kube-controller-manager, so that its log is readable.
	cl := func(name string) kubernetes.Interface {
		return kubernetes.NewForConfigOrDie(rest.AddUserAgent(rest.CopyConfig(cfg), name))
	}
	f := informers.NewSharedInformerFactory(cl("shared-informers"), 0)
	core, disco := f.Core().V1(), f.Discovery().V1()

	es := endpointslice.NewController(ctx, core.Pods(), core.Services(), core.Nodes(), disco.EndpointSlices(), 100, cl("endpointslice-controller"), *batch)
	ep := endpoint.NewEndpointController(ctx, core.Pods(), core.Services(), core.Endpoints(), cl("endpoints-controller"), *batch)
	mi := endpointslicemirroring.NewController(ctx, core.Endpoints(), disco.EndpointSlices(), core.Services(), 1000, cl("endpointslicemirroring-controller"), *batch)
	sa, err := serviceaccount.NewServiceAccountsController(klog.Background(), core.ServiceAccounts(), core.Namespaces(), cl("service-account-controller"), serviceaccount.DefaultServiceAccountsControllerOptions())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	rs := replicaset.NewReplicaSetController(ctx, f.Apps().V1().ReplicaSets(), core.Pods(), cl("replicaset-controller"), replicaset.BurstReplicas)
	nscl := cl("namespace-controller")
	md, err := metadata.NewForConfig(cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ns := namespace.NewNamespaceController(ctx, nscl, md, nscl.Discovery().ServerPreferredNamespacedResources, core.Namespaces(), 0, v1.FinalizerKubernetes)

	// Slices belong to their Service by an owner reference only, so nothing else would remove those of a deleted one.
	started := make(chan struct{})
	mf := metadatainformer.NewSharedInformerFactory(md, 0)
	dc := cl("generic-garbage-collector").Discovery()
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(dc))
	gc, err := garbagecollector.NewGarbageCollector(ctx, cl("generic-garbage-collector"), md, mapper, garbagecollector.DefaultIgnoredResources(), informerfactory.NewInformerFactory(f, mf), started)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	f.Start(ctx.Done())
	mf.Start(ctx.Done())
	close(started)
	go gc.Run(ctx, 5, 30*time.Second)
	go gc.Sync(ctx, dc, 30*time.Second)
	go es.Run(ctx, 5)
	go ep.Run(ctx, 5)
	go mi.Run(ctx, 5)
	go sa.Run(ctx, 1)
	go ns.Run(ctx, 5)
	go rs.Run(ctx, 5)
	for t, ok := range f.WaitForCacheSync(ctx.Done()) {
		if !ok {
			fmt.Fprintln(os.Stderr, "cache not synced:", t)
			return 1
		}
	}
	if *healthz != "" {
		go func() {
			_ = http.ListenAndServe(*healthz, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
		}()
	}
	fmt.Println("controllers ready", time.Now().Format(time.RFC3339Nano), metav1.NamespaceAll)
	<-ctx.Done()
	return 0
}
