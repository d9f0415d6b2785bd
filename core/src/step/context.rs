use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use super::operations::{Database, Fault, Shared, Stored};
use crate::workflow::{Input, TriggerData};

/// The resources of a program, by type.
#[derive(Default)]
pub struct Resources {
    lent: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    database: Option<Arc<dyn Database>>,
}

impl Resources {
    /// Adds a value. A second value of the same type replaces the first.
    pub fn insert<T: Send + Sync + 'static>(&mut self, resource: T) {
        self.lent.insert(TypeId::of::<T>(), Arc::new(resource));
    }

    /// Steps' transactions begin there.
    #[doc(hidden)]
    pub fn transact_in(&mut self, database: Arc<dyn Database>) {
        self.database = Some(database);
    }

    pub(crate) fn database(&self) -> Option<Arc<dyn Database>> {
        self.database.clone()
    }

    #[doc(hidden)]
    pub fn has(&self, requirement: &Requirement) -> bool {
        self.lent.contains_key(&requirement.id)
    }

    fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.lent.get(&TypeId::of::<T>())?.clone().downcast().ok()
    }
}

/// Something that the program gives its workflows: a pool, a client, a mailer. The runtime finds it by its
/// type, and never stores it.
///
/// Add it with [`RuntimeBuilder::resource`](../struct.RuntimeBuilder.html#method.resource), and take it as a parameter:
/// `Resource(desk): Resource<Desk>`.
pub struct Resource<T>(pub Arc<T>);

impl<T> Deref for Resource<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for Resource<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A resource that a workflow needs.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Requirement {
    id: TypeId,
    /// The resource's type.
    pub name: &'static str,
}

/// What a body's parameters are made from.
#[doc(hidden)]
#[derive(Clone)]
pub struct Context {
    pub(crate) operations: Shared,
    pub(crate) resources: Arc<Resources>,
    /// What has started the run.
    pub trigger: TriggerData,
}

impl Context {
    /// Makes the first parameter. A stored input that no longer fits its type holds the run: this
    /// then never returns.
    pub async fn input<I: Input>(&self) -> I {
        match I::decode(&self.trigger) {
            Ok(input) => input,
            Err(error) => {
                self.operations.lock().fail(Fault::undecodable(
                    Stored::Input,
                    std::any::type_name::<I>(),
                    &error,
                    &self.trigger.data,
                ));
                std::future::pending().await
            }
        }
    }

    /// Makes any other parameter.
    pub fn extract<T: FromContext>(&self) -> T {
        T::from_context(self)
    }
}

/// A type that can be a workflow's parameter after the first.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a workflow",
    label = "not something that a run can be given",
    note = "after what starts it, a workflow takes `step: Step` and resources: `Resource(desk): Resource<Desk>`"
)]
pub trait FromContext: Sized {
    /// The resource that it needs.
    #[doc(hidden)]
    fn requirement() -> Option<Requirement> {
        None
    }

    #[doc(hidden)]
    fn from_context(context: &Context) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> FromContext for Resource<T> {
    fn requirement() -> Option<Requirement> {
        Some(Requirement { id: TypeId::of::<T>(), name: type_name::<T>() })
    }

    fn from_context(context: &Context) -> Self {
        let resource = context.resources.get();
        Self(resource.expect("a runtime starts only if every required resource was lent"))
    }
}
